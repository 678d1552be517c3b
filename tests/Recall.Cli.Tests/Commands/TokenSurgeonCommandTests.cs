namespace Recall.Cli.Tests.Commands;

public sealed class TokenSurgeonCommandTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    /// <summary>A model with twelve letters as its tokens.</summary>
    string Write(string name, int seed, string letters)
    {
        TinyModel.Write(_folder[name], seed);
        string vocabulary = string.Join(", ", letters.Index().Select(item => $"\"{item.Item}\": {item.Index}"));
        string model = $"\"type\": \"BPE\", \"vocab\": {{{vocabulary}}}, \"merges\": []";
        File.WriteAllText(_folder[name, "tokenizer.json"], $"{{\"added_tokens\": [], \"model\": {{{model}}}}}");
        return _folder[name];
    }

    string Model => Write("model", 1, "abcdefghijkl");

    string Donor => Write("donor", 2, "xyabcdefghij");

    [Fact]
    public void AModelGetsTheTokensOfAnother()
    {
        var run = Session.Run("tokensurgeon", Model, Donor, _folder["out"], "-k", "3", "-nc", "--batch-size", "0");
        Assert.Equal(0, run.ExitCode);
        Assert.Equal(
            $"""
            note: --batch-size: of mergekit, without meaning here
            note: model.embed_tokens.weight: of 12 tokens 10 are in {_folder["model"]}, 2 rows are made
            note: lm_head.weight: of 12 tokens 10 are in {_folder["model"]}, 2 rows are made

            """, run.Error);
        Assert.StartsWith($"{_folder["out"]}: 21 tensors", run.Out);
        Assert.Equal(File.ReadAllText(_folder["donor", "tokenizer.json"]), File.ReadAllText(_folder["out", "tokenizer.json"]));
        // A further run is refused before the rows are worked out.
        Assert.Contains("is not empty", Session.Run("tokensurgeon", _folder["model"], _folder["donor"], _folder["out"]).Error);
    }

    [Theory, InlineData("landmark_pca"), InlineData("stb"), InlineData("mp_rope")]
    public void EveryMethodOfMergekitIsHere(string method)
    {
        var run = Session.Run("tokensurgeon", Model, Donor, _folder["out"], "-a", method, "--magikarp");
        Assert.Equal(0, run.ExitCode);
        Assert.Contains("note: lm_head.weight: 0 of 10 shared tokens look hardly trained; no row is made of them\n", run.Error);
        Assert.StartsWith($"{_folder["out"]}: 21 tensors", run.Out);
    }

    [Fact]
    public void FlagsOfOtherMethodsAreNoted()
    {
        var run = Session.Run("tokensurgeon", Model, Donor, _folder["out"], "-a", "zero", "-k", "2", "-w", "barycentric", "-c", "-s", "sum", "--magikarp");
        Assert.StartsWith("note: --k, --weight-scheme, --cosine-similarity, --subword-method, --magikarp: without effect with -a zero\n", run.Error);
        Assert.DoesNotContain("without effect", Session.Run("tokensurgeon", _folder["model"], _folder["donor"], _folder["more"], "-a", "common_interpolation",
            "-k", "2", "-w", "barycentric", "-c", "--magikarp").Error);
    }

    [Theory]
    [InlineData("--approximation-method 'ompp': one of omp, ", "-a", "ompp")]
    [InlineData("--approximation-method 'stbb': one of omp, common_interpolation, ", "-a", "stbb")]
    [InlineData("--k 0: at least one token is needed", "-k", "0")]
    [InlineData("the noise at least 0", "-nvn", "-1")]
    public void WhatIsNotHereIsRefusedByName(string part, params string[] options)
    {
        var run = Session.Run(["tokensurgeon", Model, Donor, _folder["out"], .. options]);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(part, run.Error);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    public void Dispose() => _folder.Dispose();
}
