using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Tests.Mergekit;

namespace Recall.Tests.Merging;

/// <summary>Bare files of weights, merged by the names of their tensors.</summary>
public sealed class RawMergeTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    string File(string name, params (string Name, float[] Values)[] tensors)
    {
        SafetensorsWriter.Write(_folder[name], tensors.Select(tensor => TensorBytes.Of(tensor.Name, new Shape(tensor.Values.Length), tensor.Values)));
        return _folder[name];
    }

    string A => File("a.safetensors", ("both", [1, 2]), ("model.layers.0.only_a", [3]));

    string B => File("b.safetensors", ("both", [3, 4]), ("model.layers.7.only_b", [5]));

    string Models => $"models:\n  - {{model: {A}, parameters: {{weight: 0.25}}}}\n  - {{model: {B}, parameters: {{weight: 0.75}}}}\n";

    MergePlan Plan(string text, PartialTensors rule = PartialTensors.Refuse) =>
        MergePlan.Make(MergeConfig.ParseRaw(text, "raw.yaml"), new MergeOptions { Output = _folder["out"], Raw = rule });

    Dictionary<string, float[]> Run(string text, PartialTensors rule = PartialTensors.Refuse)
    {
        MergeRun.Run(Plan(text, rule));
        return Checkpoint.Open(_folder["out", "model.safetensors"]).Tensors.ToDictionary(tensor => tensor.Name, MergekitCase.Values);
    }

    string Refused(string text, PartialTensors rule = PartialTensors.Refuse)
    {
        string message = Assert.ThrowsAny<RecallException>(() => Plan(text, rule)).Message;
        Assert.False(Directory.Exists(_folder["out"]));
        return message;
    }

    [Fact]
    public void ATensorThatAFileLacksIsRefusedUnlessAskedFor()
    {
        string message = Refused("merge_method: linear\n" + Models);
        Assert.StartsWith($"raw.yaml:4:5 models[1]: {_folder["b.safetensors"]} lacks tensor model.layers.0.only_a, which {_folder["a.safetensors"]} has; ", message);
        Assert.Contains("--tensor-intersection", message);
    }

    [Fact]
    public void TheIntersectionHoldsWhatAllHave()
    {
        var merged = Run("merge_method: linear\n" + Models, PartialTensors.LeaveOut);
        Assert.Equal([2.5f, 3.5f], Assert.Single(merged).Value);
        Assert.Contains("left out, since not all files have it: model.layers.0.only_a, model.layers.7.only_b",
            Plan("merge_method: linear\n" + Models, PartialTensors.LeaveOut).Notes);
    }

    [Fact]
    public void TheUnionHoldsEachTensorFromTheFilesThatHaveIt()
    {
        var merged = Run("merge_method: linear\n" + Models, PartialTensors.Merge);
        Assert.Equal(3, merged.Count);
        Assert.Equal([2.5f, 3.5f], merged["both"]);
        Assert.Equal([3f], merged["model.layers.0.only_a"]);
        Assert.Equal([5f], merged["model.layers.7.only_b"]);
    }

    [Fact]
    public void WhatTheBaseLacksHasNoTaskVector()
    {
        string text = $"merge_method: task_arithmetic\nbase_model: {A}\n{Models}";
        var merged = Run(text, PartialTensors.Merge);
        Assert.Equal(["both", "model.layers.0.only_a"], merged.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([1 + 0.75f * 2, 2 + 0.75f * 2], merged["both"]);
        Assert.Contains("left out, since the base model lacks it: model.layers.7.only_b", Plan(text.Replace("out", "o2"), PartialTensors.Merge).Notes);
    }

    [Fact]
    public void ParametersHaveTheOrdinaryPrecedenceAndGradientsBeginAtTheirFirstNumber()
    {
        File("c.safetensors", ("x.mlp", [1]), ("x.norm", [1]));
        File("d.safetensors", ("x.mlp", [10]), ("x.norm", [10]));
        var merged = Run($$"""
            merge_method: linear
            models:
            - model: {{_folder["c.safetensors"]}}
              parameters: {weight: [{filter: mlp, value: 0}]}
            - model: {{_folder["d.safetensors"]}}
            parameters: {weight: [1, 9], normalize: false}
            """);
        // A weight of 0 counts, a condition that fits no tensor falls through, and a model without parameters takes those of the top level.
        Assert.Equal([10f], merged["x.mlp"]);
        Assert.Equal([11f], merged["x.norm"]);
    }

    [Fact]
    public void TheTypeIsThatOfTheConfig()
    {
        MergeRun.Run(Plan("merge_method: linear\ndtype: bfloat16\n" + Models, PartialTensors.LeaveOut));
        Assert.Equal(DType.BF16, Assert.Single(Checkpoint.Open(_folder["out", "model.safetensors"]).Tensors).DType);
        Assert.False(System.IO.File.Exists(_folder["out", "config.json"]));
    }

    [Fact]
    public void PickledFilesAndGgufMergeByTheirNames()
    {
        string pickle = Fixtures.Path("pickle", "extension-pth", "pytorch_model.bin"), ckpt = _folder["same.ckpt"];
        System.IO.File.Copy(pickle, ckpt);
        SameAs(pickle, Run($"merge_method: linear\nmodels: [{{model: {pickle}}}, {{model: {ckpt}}}]\nparameters: {{weight: 1}}\n"));
        Directory.Delete(_folder["out"], recursive: true);
        string gguf = Directory.GetFiles(Fixtures.Path("gguf", "models", "llama-f32-bpe"), "*.gguf").Single();
        SameAs(gguf, Run($"merge_method: passthrough\nmodels: [{{model: {gguf}}}]\n"));
        Assert.False(System.IO.File.Exists(_folder["out", "config.json"]) || System.IO.File.Exists(_folder["out", "tokenizer.json"]));
    }

    static void SameAs(string file, Dictionary<string, float[]> merged)
    {
        var tensors = Checkpoint.Open(file).Tensors;
        Assert.Equal(tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), merged.Keys.Order(StringComparer.Ordinal));
        Assert.All(tensors.Where(tensor => tensor.DType.IsFloat()), tensor => Assert.Equal(MergekitCase.Values(tensor), merged[tensor.Name]));
    }

    [Theory]
    [InlineData("merge_method: linear\nslices: []\nmodels: [x]\n", "raw.yaml:2:9 slices: 'slices' has no meaning for bare files of weights; recall merge takes it")]
    [InlineData("merge_method: linear\ntokenizer_source: union\nmodels: [x]\n", "'tokenizer_source' has no meaning")]
    [InlineData("merge_method: recall\nmodels: [x]\n", "raw.yaml:1:15 merge_method: the method recall compares layers")]
    [InlineData("merge_method: linear\n", "key 'models' is missing: the files of weights")]
    [InlineData("merge_method: linear\nmodles: [x]\n", "unknown key 'modles'; did you mean 'models'?")]
    [InlineData("merge_method: linear\nmodels: [x.safetensors+adapter]\n", "names an adapter")]
    [InlineData("merge_method: linaer\nmodels: [x]\n", "did you mean 'linear'?")]
    [InlineData("models: [x]\n", "key 'merge_method' is missing")]
    [InlineData("merge_method: linear\nmodels: [nowhere.safetensors]\n", "no such model")]
    public void WhatCannotBeMergedIsRefused(string text, string what) => Assert.Contains(what, Refused(text));

    [Fact]
    public void AnUnknownKeyIsNoted() =>
        Assert.Contains(Plan("merge_method: linear\nwhatever: 1\n" + Models, PartialTensors.Merge).Notes, note => note.StartsWith("raw.yaml:2:1: key 'whatever' has no meaning"));

    [Fact]
    public void ShapesThatDifferAreRefused()
    {
        File("c.safetensors", ("both", [1, 2, 3]));
        Assert.Contains("both: the shapes differ: [2] in ", Refused(
            $"merge_method: linear\nmodels: [{{model: {A}}}, {{model: {_folder["c.safetensors"]}}}]\nparameters: {{weight: 1}}\n", PartialTensors.LeaveOut));
    }

    public void Dispose() => _folder.Dispose();
}
