using System.Text;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Tokenization;

namespace Recall.Tests.Tokenization;

/// <summary>A tokenizer.json with fewer and with more tokens is read again, and reads text as before where the change does not
/// matter.</summary>
public class TokenizerDraftTests
{
    public static TheoryData<string> Kinds =>
        [.. Directory.GetDirectories(Fixtures.Path("tokenizers")).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    static TokenizerFile Read(string kind) => TokenizerFile.Parse(File.ReadAllBytes(Fixtures.Path("tokenizers", kind, "tokenizer.json")), kind);

    static AddedToken Plain(string content) => new(0, content, false, false, false, true, false);

    [Theory, MemberData(nameof(Kinds))]
    public void AddedTokensAreReadAsThem(string kind)
    {
        var start = Read(kind);
        var draft = new TokenizerDraft(start);
        Assert.False(draft.IsChanged);
        draft.Add(Plain("<|one|>"));
        draft.Add(Plain("<|two|>") with { Special = true, Normalized = false });
        Assert.True(draft.IsChanged);
        var (before, after) = (Tokenizer.Parse(start.Json, kind), Tokenizer.Parse(draft.Write(), kind));
        Assert.Equal(start.Size + 2, after.VocabularySize);
        Assert.Equal([start.Size + 1], after.Encode("<|two|>", addSpecialTokens: false));
        Assert.True(after.IsSpecial(start.Size + 1) && !after.IsSpecial(start.Size));
        for (int id = 0; id < start.Size; id++) Assert.Equal(before.TokenOf(id), after.TokenOf(id));
        foreach (string text in (string[])["the quick brown fox", " 12 + 7 = 19\n", "naïve café 日本"])
            Assert.Equal(before.Encode(text), after.Encode(text));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void TokensFromAnIdOnAreLeftOutWithTheirMerges(string kind)
    {
        var start = Read(kind);
        // Below the last quarter, but not below a token that the file cannot do without.
        int kept = start.Size * 3 / 4;
        var draft = new TokenizerDraft(start, kept);
        byte[] json;
        try
        {
            json = draft.Write();
        }
        catch (RecallException e)
        {
            // These files hold their special tokens at the end, and use them.
            Assert.Contains($"is beyond the model's vocab_size {kept}", e.Message);
            Assert.Contains(start.Added, token => token.Id >= kept);
            return;
        }
        var after = Tokenizer.Parse(json, kind);
        Assert.True(after.VocabularySize <= kept);
        for (int id = 0; id < kept; id++) Assert.Equal(start.TokenOf(id), after.TokenOf(id));
        Assert.All(after.Encode("the quick brown fox jumps over 1234 lazy dogs"), id => Assert.InRange(id, 0, kept - 1));
    }

    [Fact]
    public void MergesOfATokenThatIsLeftOutGoWithIt()
    {
        var start = TokenizerFile.Parse("""
            {"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"aba":3,"abab":4},"merges":["a b",["ab","a"],["ab","ab"]]}}
            """u8.ToArray(), "t");
        var json = JsonNode.Parse(new TokenizerDraft(start, 3).Write())!;
        Assert.Equal(["a", "b", "ab"], ((JsonObject)json["model"]!["vocab"]!).Select(entry => entry.Key));
        Assert.Equal("""["a b"]""", json["model"]!["merges"]!.ToJsonString());
    }

    [Theory]
    [InlineData("\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"TemplateProcessing\",\"special_tokens\":{\"type\":{}}}]}",
        "post_processor.processors[0].special_tokens")]
    [InlineData("\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"type\",1],\"cls\":[\"a\",0]}", "post_processor.sep")]
    [InlineData("\"padding\":{\"pad_token\":\"type\"}", "padding")]
    [InlineData("\"post_processor\":{\"type\":\"ByteLevel\"}", null)]
    [InlineData("\"post_processor\":null", null)]
    public void ATokenThatTheTokenizerNeedsCannotGo(string part, string? place)
    {
        var start = TokenizerFile.Parse(Encoding.UTF8.GetBytes($$$"""{{{{part}}},"model":{"vocab":{"a":0,"type":1},"merges":[]}}"""), "t");
        var draft = new TokenizerDraft(start, 1);
        if (place is null) Assert.DoesNotContain("\"type\": 1", Encoding.UTF8.GetString(draft.Write()));
        else Assert.StartsWith($"t: {place}", Assert.Throws<RecallException>(draft.Write).Message);
    }

    [Fact]
    public void AMadeVocabularyChangesTheOtherFilesThatNameTokens()
    {
        var start = TokenizerFile.Parse("""
            {"added_tokens":[{"id":2,"content":"<s>","special":true},{"id":3,"content":"<pad>","special":true}],
             "model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}}
            """u8.ToArray(), "t");
        CheckpointFile[] files =
        [
            Text("tokenizer.json", Encoding.UTF8.GetString(start.Json.Span)),
            Text("tokenizer_config.json", """{"bos_token":"<s>","pad_token":{"content":"<pad>"},"model_max_length":9,"added_tokens_decoder":{"2":{},"3":{}}}"""),
            Text("special_tokens_map.json", """{"bos_token":"<s>","pad_token":"<pad>","additional_special_tokens":["<pad>","<s>"]}"""),
            Text("added_tokens.json", """{"<s>":2,"<pad>":3}"""),
            Text("vocab.json", """{"a":0}"""),
            Text("chat_template.jinja", "old"),
            Text("generation_config.json", "{}"),
        ];
        var draft = new TokenizerDraft(start, 3);
        draft.Add(Plain("<x>"));
        var made = TokenizerFiles.Make(files, draft, "{{ new }}")
            .ToDictionary(file => file.Name, file => Encoding.UTF8.GetString(file.Read().Span));
        Assert.Equal(["added_tokens.json", "chat_template.jinja", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"],
            made.Keys.Order(StringComparer.Ordinal));
        var config = JsonNode.Parse(made["tokenizer_config.json"])!;
        Assert.Equal(["bos_token", "model_max_length", "added_tokens_decoder", "chat_template"], ((JsonObject)config).Select(entry => entry.Key));
        Assert.Equal(["2 <s> True", "3 <x> False"], ((JsonObject)config["added_tokens_decoder"]!)
            .Select(entry => $"{entry.Key} {entry.Value!["content"]} {(bool)entry.Value["special"]!}"));
        Assert.Equal("{{ new }}", (string)config["chat_template"]!);
        Assert.Equal("{{ new }}", made["chat_template.jinja"]);
        Same("""{"bos_token":"<s>","additional_special_tokens":["<s>"]}""", made["special_tokens_map.json"]);
        Same("""{"<s>":2,"<x>":3}""", made["added_tokens.json"]);

        // Without a change, byte for byte.
        Assert.Equal(files[..^1], TokenizerFiles.Make(files, new TokenizerDraft(start), null));
    }

    [Theory]
    [InlineData("nonsense", "is not valid JSON")]
    [InlineData("{}", "'model' is missing")]
    [InlineData("""{"model":{"vocab":{"a":0,"b":0}}}""", "have one id, 0")]
    [InlineData("""{"model":{"vocab":{"a":-1}}}""", "an id is a whole number")]
    [InlineData("""{"model":{"vocab":{"a":16777215}}}""", "the file is damaged")]
    [InlineData("""{"model":{"vocab":[["a",1],["a",2]]}}""", "stands twice")]
    [InlineData("""{"model":{"vocab":[[1]]}}""", "a token and its score")]
    [InlineData("""{"model":{"vocab":{"a":0}},"added_tokens":[{"id":0,"content":"b"}]}""", "which is that of token 'a'")]
    [InlineData("""{"model":{"vocab":{"\ud800":0}}}""", "surrogate")]
    public void BrokenFilesAreRefusedWithTheirPlace(string json, string reason)
    {
        var error = Assert.Throws<RecallException>(() => TokenizerFile.Parse(Encoding.UTF8.GetBytes(json), "m/tokenizer.json"));
        Assert.StartsWith("m/tokenizer.json", error.Message);
        Assert.Contains(reason, error.Message);
    }

    static void Same(string expected, string json) => Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), JsonNode.Parse(json)), json);

    static CheckpointFile Text(string name, string text) => new(name, null, Encoding.UTF8.GetBytes(text));
}
