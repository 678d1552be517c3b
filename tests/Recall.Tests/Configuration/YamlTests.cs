using System.Text;
using CsCheck;
using Recall.Configuration.Yaml;

namespace Recall.Tests.Configuration;

/// <summary>YAML as PyYAML understands it, and files that are made to hurt.</summary>
public class YamlTests
{
    static YamlNode Value(string text) => YamlDocument.ParseMapping($"key: {text}", "f.yaml").Entries[0].Value;

    static string Refusal(string text) => Assert.Throws<ConfigurationException>(() => YamlDocument.ParseMapping(text, "f.yaml")).Message;

    [Theory]
    [InlineData("1", 1)]
    [InlineData("-17", -17)]
    [InlineData("+3", 3)]
    [InlineData("1_000", 1000)]
    [InlineData("010", 8)]
    [InlineData("09", 9)]
    [InlineData("0x1F", 31)]
    [InlineData("-0x1f", -31)]
    [InlineData("0b101", 5)]
    [InlineData("1:30", 90)]
    [InlineData("1:30:00.5", 5400.5)]
    [InlineData("0.25", 0.25)]
    [InlineData(".5", 0.5)]
    [InlineData("5.", 5)]
    [InlineData("1e-4", 1e-4)]
    [InlineData("1.5E+3", 1500)]
    [InlineData("'0.5'", 0.5)]
    [InlineData("\"7\"", 7)]
    [InlineData("yes", 1)]
    [InlineData("off", 0)]
    [InlineData("!!float 2", 2)]
    [InlineData("-.inf", double.NegativeInfinity)]
    [InlineData(".inf", double.PositiveInfinity)]
    [InlineData(".NaN", double.NaN)]
    public void ScalarsAreNumbersAsInYaml11(string text, double number) => Assert.Equal(number, Yaml11.Number(Value(text)));

    [Theory]
    [InlineData("much")]
    [InlineData("1,5")]
    [InlineData("'yes'")]
    [InlineData("''")]
    [InlineData("-")]
    [InlineData("1e")]
    [InlineData("0x")]
    [InlineData("[1]")]
    [InlineData("{a: 1}")]
    [InlineData("∞")]
    [InlineData("1 000")]
    [InlineData("12abc")]
    [InlineData("2026-01-01")]
    public void OtherScalarsAreNoNumbers(string text)
    {
        // A dash alone begins a list, which is no number either.
        Assert.Null(Yaml11.Number(text == "-" ? new YamlScalar(text, true, 1, 1, false) : Value(text)));
    }

    [Theory]
    [InlineData("yes", true)]
    [InlineData("On", true)]
    [InlineData("TRUE", true)]
    [InlineData("no", false)]
    [InlineData("off", false)]
    [InlineData("False", false)]
    [InlineData("y", null)]
    [InlineData("1", null)]
    public void TruthValuesAreThoseOfYaml11(string text, bool? truth) => Assert.Equal(truth, Yaml11.Boolean(Value(text)));

    [Theory]
    [InlineData("", true)]
    [InlineData("~", true)]
    [InlineData("null", true)]
    [InlineData("NULL", true)]
    [InlineData("'~'", false)]
    [InlineData("\"\"", false)]
    [InlineData("nil", false)]
    [InlineData("!!str null", false)]
    public void NullIsPlain(string text, bool isNull) => Assert.Equal(isNull, Yaml11.IsNull(Value(text)));

    [Fact]
    public void EveryNodeKnowsItsPlace()
    {
        var document = YamlDocument.ParseMapping("# comment\na: 1\nlist:\n  - x\n  - {k: [v]}\n", "f.yaml");
        Assert.Equal((2, 1, 2, 4), (document.Entries[0].Line, document.Entries[0].Column, document.Entries[0].Value.Line, document.Entries[0].Value.Column));
        var list = Assert.IsType<YamlSequence>(document.Entries[1].Value);
        Assert.Equal((4, 5), (list.Items[0].Line, list.Items[0].Column));
        var inner = Assert.IsType<YamlMapping>(list.Items[1]).Entries[0];
        Assert.Equal((5, 6, 5, 9), (inner.Line, inner.Column, inner.Value.Line, inner.Value.Column));
    }

    [Fact]
    public void AliasesShareTheNodeOfTheirAnchor()
    {
        var document = YamlDocument.ParseMapping("a: &x [1, 2]\nb: *x\n", "f.yaml");
        Assert.True(document.Entries[0].Value.Anchored);
        Assert.Same(document.Entries[0].Value, document.Entries[1].Value);
    }

    [Theory]
    [InlineData("{m: &f m/a, b: *f}")]
    [InlineData("{m: &f 'm/a', b: *f}")]
    [InlineData("[&f m/a, *f]")]
    [InlineData("{m: &f m/a\n , b: *f}")]
    public void AnchorsStandAlsoInsideBraces(string text)
    {
        var values = Value(text) is YamlMapping mapping ? mapping.Entries.Select(entry => entry.Value).ToList() : [.. ((YamlSequence)Value(text)).Items];
        Assert.Equal(2, values.Count);
        Assert.All(values, value => Assert.Equal("m/a", ((YamlScalar)value).Text));
    }

    [Fact]
    public void AnAnchorDefinedAgainCountsFromThereOn()
    {
        var document = YamlDocument.ParseMapping("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "f.yaml");
        Assert.Equal("1 1 2 2", string.Join(' ', document.Entries.Select(entry => ((YamlScalar)entry.Value).Text)));
    }

    [Theory]
    [InlineData("b: {<<: *one, k: own}", "k=own j=1")]
    [InlineData("b: {k: own, <<: *one}", "k=own j=1")]
    [InlineData("b: {<<: [*one, *two]}", "k=1 j=1 i=2")]
    [InlineData("b: {<<: [*two, *one]}", "k=2 i=2 j=1")]
    [InlineData("b: {<<: {k: in, l: line}}", "k=in l=line")]
    [InlineData("b: {<<: *chain}", "k=1 j=1")]
    [InlineData("b: {'<<': text}", "<<=text")]
    public void MergeKeysTakeOwnKeysFirstThenEarlierMaps(string line, string expected)
    {
        var document = YamlDocument.ParseMapping($"one: &one {{k: 1, j: 1}}\ntwo: &two {{k: 2, i: 2}}\nchain: &chain {{<<: *one}}\n{line}\n", "f.yaml");
        var merged = Assert.IsType<YamlMapping>(document.Entries[^1].Value);
        Assert.Equal(expected.Split(' ').Order(), merged.Entries.Select(entry => $"{entry.Key}={((YamlScalar)entry.Value).Text}").Order());
    }

    [Fact]
    public void OfEqualKeysTheLastCountsAsInPyYaml()
    {
        var document = YamlDocument.ParseMapping("k: 1\nj: 2\nk: 3\n", "f.yaml");
        Assert.Equal("k=3 j=2", string.Join(' ', document.Entries.Select(entry => $"{entry.Key}={((YamlScalar)entry.Value).Text}")));
        Assert.Equal(3, document.Entries[0].Line);
    }

    [Theory]
    [InlineData("a: [1, 2", "f.yaml:")]
    [InlineData("a: 1\n b: 2\n", "f.yaml:2:")]
    [InlineData("a: \"\\q\"\n", "f.yaml:1:")]
    [InlineData("a: 1\n---\nb: 2\n", "f.yaml:3:1: holds 2 documents; one is expected here")]
    [InlineData("", "f.yaml: is empty")]
    [InlineData("# only a comment\n", "f.yaml: is empty")]
    [InlineData("- a\n- b\n", "f.yaml:1:1: keys and values are expected here")]
    [InlineData("just text", "f.yaml:1:1: keys and values are expected here")]
    [InlineData("? [a, b]\n: c\n", "f.yaml:1:3: a key must be text")]
    [InlineData("a: *nowhere\n", "f.yaml:1:4: alias '*nowhere' has no anchor before it")]
    [InlineData("a: &x [1, *x]\n", "f.yaml:1:11: alias '*x' stands inside its own anchor")]
    [InlineData("a: {<<: 1}\n", "f.yaml:1:5: a merge key takes a mapping or a list of mappings")]
    [InlineData("a: !!python/object/apply:os.system ['rm -rf /']\n", "f.yaml:1:4: tag 'tag:yaml.org,2002:python/object/apply:os.system' is not accepted")]
    [InlineData("a: !!python/object/new:x {b: 1}\n", "f.yaml:1:4: tag 'tag:yaml.org,2002:python/object/new:x' is not accepted")]
    [InlineData("a: !env HOME\n", "f.yaml:1:4: tag '!env' is not accepted")]
    [InlineData("a: !!binary aGVsbG8=\n", "f.yaml:1:4: tag 'tag:yaml.org,2002:binary' is not accepted")]
    [InlineData("a: \"x\0\"", "f.yaml:1:")]
    [InlineData("a: \u001b[31mred", "f.yaml:1:4: the control character U+001B cannot stand in YAML")]
    [InlineData("a: b\n  é\n'c'd\n  *\n", "f.yaml:")]
    public void WhatIsNoPlainDataIsRefusedWithItsPlace(string text, string beginning)
    {
        string message = Refusal(text);
        Assert.StartsWith(beginning, message);
        Assert.DoesNotContain(message, char.IsControl);
    }

    [Theory]
    [InlineData("a: !!seq [1]", "a")]
    [InlineData("a: !!map {b: 1}", "a")]
    [InlineData("!!map {a: !!str 1}", "a")]
    [InlineData("%YAML 1.1\n---\na: 1\n...\n", "a")]
    [InlineData("a: |\n  block\n  text\n", "a")]
    [InlineData("\"a\": 1", "a")]
    public void TheTypesOfYamlItselfPass(string text, string key) => Assert.Equal(key, YamlDocument.ParseMapping(text, "f.yaml").Entries[0].Key);

    [Theory]
    [InlineData("[", 100_000)]
    [InlineData("{a: ", 100_000)]
    [InlineData("- ", 100_000)]
    [InlineData("? ", 100_000)]
    [InlineData("[", 65)]
    public void DeepNestingIsRefusedNotOverflowed(string open, int times)
    {
        string text = open is "- " or "? " ? string.Concat(Enumerable.Repeat(open, times)) : "a: " + string.Concat(Enumerable.Repeat(open, times));
        Assert.StartsWith("f.yaml:", Refusal(text));
    }

    [Fact]
    public void AliasesOfAliasesDoNotMultiply()
    {
        var text = new StringBuilder("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
        for (int i = 1; i < 30; i++) text.Append($"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        Assert.Contains("holds more than 250000 values, with aliases counted as often as they stand", Refusal(text.ToString()));
    }

    [Fact]
    public void MergeKeysOfMergeKeysDoNotMultiply()
    {
        var text = new StringBuilder("a0: &a0 {").AppendJoin(", ", Enumerable.Range(0, 1000).Select(i => $"k{i}: {i}")).Append("}\n");
        text.Append($"a1: {{<<: [{string.Join(", ", Enumerable.Repeat("*a0", 1000))}]}}\n");
        Assert.Contains("holds more than 250000 values", Refusal(text.ToString()));
    }

    [Fact]
    public void ManyKeysAreReadInLinearTime()
    {
        var text = new StringBuilder();
        for (int i = 0; i < 100_000; i++) text.Append("key").Append(i).Append(": 1\n");
        Assert.Equal(100_000, YamlDocument.ParseMapping(text.ToString(), "f.yaml").Entries.Length);
    }

    [Fact]
    public void WhateverIsReadIsRefusedByNothingButAConfigurationException() =>
        Gen.Char["abk:-?[]{}&*!|>'\"%@#,.<~01 \n\t\0\u001b\u2028é"].Array[0, 60].Select(letters => new string(letters)).Sample(text =>
        {
            try
            {
                foreach (var node in YamlDocument.ParseAll(text, "f.yaml")) Assert.NotNull(node);
            }
            catch (ConfigurationException e)
            {
                Assert.StartsWith("f.yaml:", e.Message);
                Assert.DoesNotContain(e.Message, char.IsControl);
            }
        }, iter: 5_000);

    [Fact]
    public void FilesAreUtf8OfBoundedLength()
    {
        using var folder = new TemporaryFolder();
        string path = folder["f.yaml"];
        File.WriteAllBytes(path, [0xEF, 0xBB, 0xBF, (byte)'a']);
        Assert.Equal("a", YamlDocument.ReadText(path));
        File.WriteAllBytes(path, [(byte)'a', 0xFF]);
        Assert.Equal($"{path}: is not UTF-8 text", Refused(path));
        File.WriteAllBytes(path, new byte[16 * 1024 * 1024 + 1]);
        Assert.StartsWith($"{path}: is too long", Refused(path));
        Assert.Equal($"{folder.Path}: is a folder, not a config file", Refused(folder.Path));
        Assert.Equal($"{folder["absent.yaml"]}: no such file", Refused(folder["absent.yaml"]));
        Assert.SkipUnless(File.Exists("/dev/zero"), "no /dev/zero here");
        Assert.StartsWith("/dev/zero: is too long", Refused("/dev/zero"));

        static string Refused(string file) => Assert.Throws<ConfigurationException>(() => YamlDocument.ReadText(file)).Message;
    }
}
