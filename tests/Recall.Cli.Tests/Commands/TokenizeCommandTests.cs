using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Cli.Tests.Commands;

public class TokenizeCommandTests
{
    [Fact]
    public void IdsAndTextsAreThoseOfTransformers()
    {
        using var folder = new TemporaryFolder();
        string model = WithTokenizer(folder);
        var golden = File.ReadLines(Repository.Fixture("tokenizers", "gpt2", "encodings.jsonl")).Select(line => JsonNode.Parse(line)!)
            .Where(each => !string.IsNullOrWhiteSpace((string?)each["text"])).ToList();
        File.WriteAllLines(folder["texts.jsonl"], golden.Select(each => new JsonObject { ["text"] = (string?)each["text"] }.ToJsonString()));

        var ids = Session.Run("tokenize", model, folder["texts.jsonl"], "--json");
        Assert.Equal((0, ""), (ids.ExitCode, ids.Error));
        Assert.Equal(golden.Select(each => each["ids_special"]!.ToJsonString()), Lines(ids.Out));
        var plain = Session.Run("tokenize", model, folder["texts.jsonl"], "--json", "--no-special-tokens");
        Assert.Equal(golden.Select(each => each["ids"]!.ToJsonString()), Lines(plain.Out));

        File.WriteAllText(folder["ids.jsonl"], ids.Out);
        var texts = Session.Run("tokenize", model, folder["ids.jsonl"], "--decode", "--json");
        Assert.Equal(golden.Select(each => (string?)each["decoded"]), Lines(texts.Out).Select(line => JsonSerializer.Deserialize<string>(line)));
    }

    [Fact]
    public void APersonSeesThePiecesAndNoControlCharacters()
    {
        using var folder = new TemporaryFolder();
        string model = WithTokenizer(folder);
        File.WriteAllText(folder["texts.jsonl"], """{"question": "red\u001b[2J", "n": 1}""");
        var run = Session.Run("tokenize", model, folder["texts.jsonl"], "--text", "{{question}} {{n}}");
        Assert.Equal(0, run.ExitCode);
        Assert.Matches(@"^ +\d+  .*│.*\n$", run.Out);
        Assert.DoesNotContain("\u001b", run.Out, StringComparison.Ordinal);
        Assert.Equal(@"red\u001b[2J 1", run.Out.Trim().Split("  ")[1].Replace("│", ""));
    }

    [Fact]
    public void TextsAreCutOnDemand()
    {
        using var folder = new TemporaryFolder();
        string model = WithTokenizer(folder);
        File.WriteAllText(folder["texts.txt"], "one two three four five six\n");
        var whole = JsonSerializer.Deserialize<int[]>(Session.Run("tokenize", model, folder["texts.txt"], "--json").Out)!;
        var cut = JsonSerializer.Deserialize<int[]>(Session.Run("tokenize", model, folder["texts.txt"], "--json", "--max-tokens", "3").Out)!;
        Assert.Equal(whole[..3], cut);
    }

    [Fact]
    public void AMissingFieldIsNamedWithThoseThatAreThere()
    {
        using var folder = new TemporaryFolder();
        string model = WithTokenizer(folder);
        File.WriteAllText(folder["texts.jsonl"], """{"question": "a"}""");
        var run = Session.Run("tokenize", model, folder["texts.jsonl"]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("row 1 has no field 'text'", run.Error, StringComparison.Ordinal);
        Assert.Contains("question", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void DecodingTakesNoOptionsOfTexts()
    {
        using var folder = new TemporaryFolder();
        string model = WithTokenizer(folder);
        File.WriteAllText(folder["ids.jsonl"], "[1, 2]\n");
        var run = Session.Run("tokenize", model, folder["ids.jsonl"], "--decode", "--max-tokens", "3");
        Assert.Equal((0, "note: --max-tokens: without effect with --decode\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public void AModelWithoutATokenizerSaysSo()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["tiny"], 1);
        File.WriteAllText(folder["texts.txt"], "one\n");
        var run = Session.Run("tokenize", folder["tiny"], folder["texts.txt"]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("has no tokenizer.json", run.Error, StringComparison.Ordinal);
    }

    static string WithTokenizer(TemporaryFolder folder)
    {
        string model = TinyModel.Write(folder["tiny"], 1);
        File.Copy(Repository.Fixture("tokenizers", "gpt2", "tokenizer.json"), folder["tiny", "tokenizer.json"]);
        return model;
    }

    static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
