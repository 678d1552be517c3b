using Recall.Configuration;
using Recall.Planning;
using Recall.Tests.Merging;
using Recall.Tests.Planning;

namespace Recall.Tests.Alignment;

/// <summary>The keys tokenizer and tokenizer_source in a merge by what the layers do.</summary>
public sealed class AlignedVocabularyTests : IDisposable
{
    /// <summary>A token for each of the 72 rows that the models' embeddings have.</summary>
    static readonly string Letters = string.Concat(Enumerable.Range(0, 72).Select(i => (char)('\u0100' + i)));

    static readonly string[] Names = ["base", "expert-1", "expert-2"];

    readonly TemporaryFolder _folder = new();

    public AlignedVocabularyTests()
    {
        CopiedExperts.To(_folder, Names);
        foreach (string name in Names) TinyTokenizer.Write(_folder[name], Letters);
    }

    public void Dispose() => _folder.Dispose();

    string Merge(string key, string output, string combine = "combine: align, ")
    {
        var config = MergeConfig.Parse(
            $"merge_method: recall\nbase_model: {_folder["base"]}\n"
            + $"models:\n{string.Concat(Names[1..].Select(name => $"- {{model: {_folder[name]}, samples: {_folder[name + ".jsonl"]}}}\n"))}"
            + $"recall: {{{combine}compute: float32, card_rank: 8}}\n{key.Replace("MODEL", _folder["expert-1"])}\n", "merge.yaml");
        MergeRun.Run(config, new MergeOptions { Output = _folder[output], Threads = 1, WriteModelCard = false });
        return _folder[output];
    }

    [Theory]
    [InlineData("tokenizer_source: base")]
    [InlineData("tokenizer_source: union")]
    [InlineData("tokenizer_source: MODEL")]
    [InlineData("tokenizer: {source: base, pad_to_multiple_of: 8}")]
    public void A_key_that_leaves_the_vocabulary_as_it_is_changes_nothing(string key)
    {
        var plain = TinyModel.Bytes(Merge("", "plain"));
        var asked = TinyModel.Bytes(Merge(key, "asked"));
        foreach (string file in (string[])["model.safetensors", "card.safetensors", "samples.jsonl"]) Assert.Equal(plain[file], asked[file]);
        Assert.True(File.Exists(_folder["asked", "tokenizer.json"]));
    }

    [Theory]
    [InlineData("combine: distil, ")]
    [InlineData("")]
    public void What_changes_the_vocabulary_is_refused_with_the_reason(string combine)
    {
        string Refused(string key) => Assert.Throws<ConfigurationException>(() => Merge(key, "out", combine)).Message;

        string message = Refused("tokenizer: {source: union, pad_to_multiple_of: 64}");
        Assert.Contains("merge.yaml:", message);
        Assert.Contains($"distil lets all models read the same token ids, and with this key the output's vocabulary is not that of {_folder["base"]}: "
            + "its embedding has 72 rows, the output's 128;", message);
        TinyTokenizer.Write(_folder["expert-1"], new string([.. Letters.Reverse()]));
        Assert.Contains($"is not that of {_folder["expert-1"]}: its tokens stand at other numbers, or are given other rows", Refused("tokenizer_source: base"));
        Assert.False(Directory.Exists(_folder["out"]));
    }
}
