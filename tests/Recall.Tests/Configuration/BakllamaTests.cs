using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Tests.Mergekit;
using Recall.Tests.Merging;

namespace Recall.Tests.Configuration;

public sealed class BakllamaTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    static string Refused(string text) => Assert.Throws<ConfigurationException>(() => Bakllama.Parse(text, "bak.yaml", false)).Message;

    [Fact]
    public void SlicesAreStackedAndScaledByTheirDownProjections()
    {
        string a = TinyModel.Write(_folder["a"], 1, DType.F32), b = TinyModel.Write(_folder["b"], 2, DType.F32);
        string text = $"embedding_source: {b}\nlayer_slices:\n- {{model: {a}, start: 0, end: 2}}\n- {{model: {b}, start: 1, end: 3, scale: 0.5}}\n";
        MergeRun.Run(Bakllama.Parse(text, "bak.yaml", false), new MergeOptions { Output = _folder["out"] });
        var (first, second, output) = (Recall.Checkpoints.Checkpoint.Open(a), Recall.Checkpoints.Checkpoint.Open(b), Recall.Checkpoints.Checkpoint.Open(_folder["out"]));
        float[] Of(Recall.Checkpoints.Checkpoint model, string name) => MergekitCase.Values(model.Find(name)!);
        Assert.Equal(4, (int)output.Config["num_hidden_layers"]!);
        Assert.Equal(Of(first, "model.embed_tokens.weight"), Of(output, "model.embed_tokens.weight"));
        Assert.Equal(Of(first, "model.layers.1.mlp.down_proj.weight"), Of(output, "model.layers.1.mlp.down_proj.weight"));
        Assert.Equal(Of(second, "model.layers.1.mlp.down_proj.weight").Select(x => x / 2), Of(output, "model.layers.2.mlp.down_proj.weight"));
        Assert.Equal(Of(second, "model.layers.2.mlp.up_proj.weight"), Of(output, "model.layers.3.mlp.up_proj.weight"));
        Assert.Equal(Of(second, "lm_head.weight"), Of(output, "lm_head.weight"));
        var plan = MergePlan.Make(Bakllama.Parse(text, "bak.yaml", true), new MergeOptions { Output = _folder["half"] });
        Assert.All(plan.Tensors, tensor => Assert.Equal(DType.F16, tensor.DType));
        Assert.Contains(plan.Notes, note => note.StartsWith("bak.yaml:1:19 embedding_source: is ignored"));
    }

    [Fact]
    public void AnErrorNamesThePlaceInTheFileOfBakllama()
    {
        string a = TinyModel.Write(_folder["a"], 1);
        var config = Bakllama.Parse($"layer_slices:\n- {{model: {a}, start: 0, end: 9}}\n", "bak.yaml", false);
        var error = Assert.ThrowsAny<RecallException>(() => MergePlan.Make(config, new MergeOptions { Output = "o" }));
        Assert.StartsWith("bak.yaml:2:3 layer_slices[0]: layer_range [0, 9] goes beyond the 3 layers", error.Message);
    }

    [Theory]
    [InlineData("layer_slices: []", "key 'layer_slices' is missing")]
    [InlineData("layers: []", "key 'layer_slices' is missing")]
    [InlineData("layer_slices: [{model: a, end: 2}]", "key 'start' is missing")]
    [InlineData("layer_slices: [{model: a, start: 2, end: 2}]", "layers 2 to 2 (excluded) are none")]
    [InlineData("layer_slices: [{start: 0, end: 2}]", "key 'model' is missing")]
    [InlineData("layer_slices: [{model: a, start: -1, end: 2}]", "must lie between 0")]
    [InlineData("layer_slices: [{model: a, start: 0, end: 2, scael: 1}]", "did you mean 'scale'?")]
    [InlineData("layer_slices: [{model: a, start: 0, end: 2, scale: x}]", "a number is expected")]
    [InlineData("", "is empty")]
    public void WhatIsNoStackIsRefused(string text, string what) => Assert.Contains(what, Refused(text));

    public void Dispose() => _folder.Dispose();
}
