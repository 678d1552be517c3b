using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Recall.Checkpoints;
using Recall.Tokenization;

namespace Recall.Tests.Tokenization;

/// <summary>Files that are broken, hostile or of a kind that Recall does not know; and what holds for every text.</summary>
public class TokenizerTests
{
    const string Model = """{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}""";

    public static TheoryData<string, string> Broken() => new()
    {
        { "", "valid JSON" },
        { "{", "valid JSON" },
        { "[]", "object" },
        { "{}", "'model' is missing" },
        { """{"model":3}""", "model: an object" },
        { """{"model":{"type":"Markov","vocab":{}}}""", "'Markov'" },
        { """{"model":{"type":"BPE","vocab":[],"merges":[]}}""", "model.vocab" },
        { """{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "model.vocab.a" },
        { """{"model":{"type":"BPE","vocab":{"a":4294967296},"merges":[]}}""", "4294967296" },
        { """{"model":{"type":"BPE","vocab":{"a":1000000000},"merges":[]}}""", "1000000000" },
        { """{"model":{"type":"BPE","vocab":{"a":0.5},"merges":[]}}""", "0.5" },
        { """{"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}""", "one id, 0" },
        { """{"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}}""", "twice" },
        { """{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","b"]]}}""", "'ab' is not in the vocabulary" },
        { """{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b c"]}}""", "merges[0]" },
        { """{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}""", "merges[0]" },
        { """{"model":{"type":"BPE","vocab":{"a":0},"merges":[7]}}""", "merges[0]" },
        { """{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}}""", "dropout" },
        { """{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"?"}}""", "'?'" },
        { """{"model":{"type":"BPE","vocab":{"\ud800":0},"merges":[]}}""", "surrogate" },
        { """{"model":{"type":"Unigram","vocab":[]}}""", "empty" },
        { """{"model":{"type":"Unigram","vocab":[["a",0.0]],"unk_id":3}}""", "'unk_id'" },
        { """{"model":{"type":"WordPiece","vocab":{"a":0}}}""", "'[UNK]'" },
        { """{"model":@model,"normalizer":{"type":"Rot13"}}""", "'Rot13'" },
        { """{"model":@model,"normalizer":{}}""", "normalizer: 'type' is missing" },
        { """{"model":@model,"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"("}}}""", "pattern.Regex" },
        { """{"model":@model,"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"\\p{Klingon}"}}}""", "'Klingon'" },
        { """{"model":@model,"pre_tokenizer":{"type":"Split","behavior":"Shredded","pattern":{"Regex":"a"}}}""", "'Shredded'" },
        { """{"model":@model,"decoder":{"type":"Enigma"}}""", "'Enigma'" },
        { """{"model":@model,"post_processor":{"type":"TemplateProcessing","single":[],"special_tokens":{}}}""", "sequence A" },
        { """{"model":@model,"added_tokens":[{"id":1,"content":"<x>"}]}""", "token 'b'" },
        { """{"model":@model,"added_tokens":[{"id":7,"content":"<x>"},{"id":7,"content":"<y>"}]}""", "id 7" },
        { """{"model":@model,"added_tokens":[{"id":7,"content":"<x>"},{"id":8,"content":"<x>"}]}""", "'<x>'" },
    };

    [Theory, MemberData(nameof(Broken))]
    public void BrokenFilesAreRefusedWithPlaceAndReason(string json, string reason)
    {
        var error = Assert.Throws<RecallException>(() => Parse(json));
        Assert.StartsWith("x/tokenizer.json", error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void NestingWithoutEndIsRefused() =>
        Assert.Throws<RecallException>(() => Parse("""{"model":@model,"normalizer":""" + string.Concat(Enumerable.Repeat("""{"type":"Sequence","normalizers":[""", 5000))));

    [Fact]
    public void RegexThatExplodesIsAnErrorThatNamesIt()
    {
        var tokenizer = Parse("""{"model":@model,"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"(a|aa)+(?=\\d)"}}}""");
        var error = Assert.Throws<RecallException>(() => tokenizer.Encode(new string('a', 60) + "!"));
        Assert.Contains("(a|aa)+", error.Message);
    }

    [Fact]
    public void LongRunsOfOneCharacterTakeNoSquareOfTime()
    {
        var tokenizer = Golden("gpt2");
        string text = new('a', 300_000);
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void HolesInTheIdsAreTokensThatDecodeToNothing()
    {
        var tokenizer = Parse("""{"model":{"type":"BPE","vocab":{"a":0,"b":9},"merges":[]}}""");
        Assert.Equal(10, tokenizer.VocabularySize);
        Assert.Null(tokenizer.TokenOf(5));
        Assert.Equal("a b", tokenizer.Decode([0, 5, 9, 77, -1]));
    }

    [Fact]
    public void ModelWithoutTokenizerSaysWhatToDo()
    {
        var none = new Checkpoint("m", [], [], []);
        Assert.Contains("no tokenizer.json", Assert.Throws<RecallException>(() => Tokenizer.Load(none)).Message);
        var other = new Checkpoint("m", [], [], [new CheckpointFile("tokenizer.model", null, default)]);
        Assert.Contains("tokenizer.model", Assert.Throws<RecallException>(() => Tokenizer.Load(other)).Message);
    }

    [Fact]
    public void TokenizerOfAModelIsReadFromItsFiles()
    {
        string path = Fixtures.Path("tokenizers", "gpt2", "tokenizer.json");
        var tokenizer = Tokenizer.Load(new Checkpoint("m", [], [], [CheckpointFile.OnDisk("tokenizer.json", path)!]));
        Assert.Equal(Golden("gpt2").Encode("One for all."), tokenizer.Encode("One for all."));
    }

    [Fact]
    public void ByteLevelTokensDecodeToEveryText() => Gen.String.Sample(text =>
    {
        string whole = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        return Gpt2.Decode(Gpt2.Encode(text)) == whole && Llama3.Decode(Llama3.Encode(text, addSpecialTokens: false)) == whole;
    });

    [Fact]
    public void QueueAndScanMergeAlike()
    {
        // Words above 128 symbols merge through a queue. A word that is cut at no boundary of a pair gives the same ids in both.
        var merges = new List<string> { "a b", "ab ab", "b a", "c c", "abab c", "cc cc" };
        var vocabulary = new JsonObject { ["a"] = 0, ["b"] = 1, ["c"] = 2, ["|"] = 3 };
        foreach (string merge in merges) vocabulary[merge.Replace(" ", "")] = vocabulary.Count;
        var model = new JsonObject
        {
            ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray([.. merges.Select(m =>
            JsonValue.Create(m))])
        };
        var tokenizer = Parse(new JsonObject { ["model"] = model }.ToJsonString());
        Gen.Char["abc"].Array[1, 100].Select(letters => new string(letters)).Sample(word =>
        {
            int[] once = tokenizer.Encode(word), many = tokenizer.Encode(string.Concat(Enumerable.Repeat(word + "|", 200)));
            return many.SequenceEqual(Enumerable.Repeat(once.Append(3), 200).SelectMany(ids => ids));
        });
    }

    static readonly Tokenizer Gpt2 = Golden("gpt2"), Llama3 = Golden("llama3");

    static Tokenizer Golden(string name) => Tokenizer.Parse(File.ReadAllBytes(Fixtures.Path("tokenizers", name, "tokenizer.json")), name);

    static Tokenizer Parse(string json) =>
        Tokenizer.Parse(Encoding.UTF8.GetBytes(json.Replace("@model", Model, StringComparison.Ordinal)), "x/tokenizer.json");
}
