using System.Text.Json.Nodes;
using Recall.Tokenization;

namespace Recall.Tests.Tokenization;

/// <summary>Encodings and decodings of Hugging Face's tokenizers, text by text (fixtures/tokenizers, and the larger set beside the
/// repository).</summary>
public class GoldenTokenizerTests
{
    /// <summary>Parts that Recall refuses by name.</summary>
    static readonly Dictionary<string, string> Refused = new()
    {
        ["t5"] = "Precompiled", ["xlm-roberta"] = "Precompiled", ["albert"] = "Precompiled", ["rare-parts"] = "Nmt",
        ["removed-parts"] = "CTC",
    };

    public static TheoryData<string> Own() => [.. Directory.GetDirectories(Fixtures.Path("tokenizers")).Select(folder =>
        Path.GetFileName(folder)).Order()];

    [Theory, MemberData(nameof(Own))]
    public void IdsAndTextsAreThoseOfTokenizers(string name) => Check(Fixtures.Path("tokenizers", name), name);

    [Fact]
    public void WholeReferenceSetAgrees()
    {
        var failures = new List<string>();
        foreach (string folder in Directory.GetDirectories(Fixtures.Shared("golden", "tokenizers")).Order())
        {
            if (!File.Exists(Path.Combine(folder, "tokenizer.json"))) continue;
            try
            {
                Check(folder, Path.GetFileName(folder));
            }
            catch (Exception e) when (e is RecallException or Xunit.Sdk.XunitException)
            {
                failures.Add($"{Path.GetFileName(folder)}: {e.Message}");
            }
        }
        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    static void Check(string folder, string name)
    {
        string file = Path.Combine(folder, "tokenizer.json");
        if (Refused.TryGetValue(name, out string? part))
        {
            var error = Assert.Throws<RecallException>(() => Tokenizer.Parse(File.ReadAllBytes(file), file));
            Assert.Contains($"'{part}'", error.Message);
            return;
        }
        var tokenizer = Tokenizer.Parse(File.ReadAllBytes(file), file);
        var wrong = new List<string>();
        foreach (var row in Rows(folder, "encodings.jsonl"))
        {
            string text = (string)row["text"]!;
            int[] ids = Ids(row["ids"]), special = Ids(row["ids_special"]);
            if (!tokenizer.Encode(text, addSpecialTokens: false).SequenceEqual(ids))
                wrong.Add($"{row["text"]!.ToJsonString()}: [{string.Join(' ', tokenizer.Encode(text, false))}], wanted [{string.Join(' ', ids)}]");
            if (!tokenizer.Encode(text).SequenceEqual(special)) wrong.Add($"{row["text"]!.ToJsonString()} with special tokens");
            CheckDecoding(tokenizer, special, row, wrong);
        }
        foreach (var row in Rows(folder, "decodings.jsonl")) CheckDecoding(tokenizer, Ids(row["ids"]), row, wrong);
        Assert.True(wrong.Count == 0, $"{wrong.Count} differ:\n" + string.Join('\n', wrong.Take(6)));
    }

    static void CheckDecoding(Tokenizer tokenizer, int[] ids, JsonNode row, List<string> wrong)
    {
        foreach (bool skip in new[] { false, true })
        {
            string decoded = tokenizer.Decode(ids, skip), wanted = (string)row[skip ? "decoded_skip" : "decoded"]!;
            if (decoded != wanted) wrong.Add($"[{string.Join(' ', ids)}] decodes to {JsonValue.Create(decoded).ToJsonString()}, wanted {JsonValue.Create(wanted).ToJsonString()}");
        }
    }

    static IEnumerable<JsonNode> Rows(string folder, string file) => File.ReadLines(Path.Combine(folder, file)).Select(line =>
        JsonNode.Parse(line)!);

    static int[] Ids(JsonNode? list) => [.. list!.AsArray().Select(id => (int)id!)];
}
