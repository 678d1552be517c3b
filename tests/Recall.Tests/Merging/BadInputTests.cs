using Recall.Configuration;
using Recall.Planning;

namespace Recall.Tests.Merging;

/// <summary>Every way in which a merge's inputs can be wrong gives an error that names the place and the cure, and no output.</summary>
public sealed class BadInputTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    string A => TinyModel.Write(_folder["a"], 1);

    RecallException Refused(string second, string method = "linear", string more = "")
    {
        string text = $"merge_method: {method}\nmodels:\n  - {{model: {A}, parameters: {{weight: 0.5}}}}\n  - {{model: {second}, parameters: {{weight: 0.5}}}}\n{more}";
        var error = Assert.ThrowsAny<RecallException>(() => MergeRun.Run(MergeConfig.Parse(text, "merge.yaml"), new MergeOptions { Output = _folder["out"] }));
        Assert.False(Directory.Exists(_folder["out"]), "something was written");
        return error;
    }

    static void Has(RecallException error, params string[] parts)
    {
        foreach (string part in parts) Assert.Contains(part, error.Message);
    }

    [Fact]
    public void AModelThatIsNotThereIsNamedWithTheNearOne()
    {
        TinyModel.Write(_folder["expert"], 2);
        Has(Refused(_folder["exprt"]), "no such model", "expert'?");
    }

    [Fact]
    public void ATensorThatOneModelLacksIsNamedWithTheModel() =>
        Has(Refused(TinyModel.Write(_folder["b"], 2, change: tensors => tensors.Remove("model.layers.1.mlp.up_proj.weight"))),
            _folder["b"], "lacks tensor model.layers.1.mlp.up_proj.weight");

    [Fact]
    public void ShapesThatDifferAreNamedWithBothModels() =>
        Has(Refused(TinyModel.Write(_folder["b"], 2, hidden: 32)), "the shapes differ", "[16", "[32", _folder["b"]);

    [Fact]
    public void AModelWithOtherDepthIsNamed() => Has(Refused(TinyModel.Write(_folder["b"], 2, layers: 2)), "has 2 layers", "has 3");

    [Fact]
    public void ATruncatedFileIsRefused()
    {
        string b = TinyModel.Write(_folder["b"], 2);
        using (var file = new FileStream(Path.Combine(b, "model.safetensors"), FileMode.Open)) file.SetLength(file.Length - 10);
        Has(Refused(b), "model.safetensors", "cut short");
    }

    [Fact]
    public void NaNInAModelIsFoundAndNamed() =>
        Has(Refused(TinyModel.Write(_folder["b"], 2, change: tensors => tensors["model.layers.2.mlp.down_proj.weight"].Values[7] = float.NaN)),
            _folder["b"], "model.layers.2.mlp.down_proj.weight holds NaN at element 7");

    [Fact]
    public void WeightsThatCancelAreRefused()
    {
        string text = $"merge_method: linear\nmodels:\n  - {{model: {A}, parameters: {{weight: 1}}}}\n  - {{model: {TinyModel.Write(_folder["b"], 2)}, parameters: {{weight: -1}}}}\n";
        var error = Assert.Throws<ConfigurationException>(() => MergePlan.Make(MergeConfig.Parse(text, "merge.yaml"), new MergeOptions { Output = "o" }));
        Has(error, "merge.yaml:1:15", "the weights sum to 0");
    }

    [Fact]
    public void ValuesTooLargeForTheOutputAreAnErrorNotInfinity() =>
        Has(Refused(TinyModel.Write(_folder["b"], 2, type: Recall.Numerics.DType.F32, change: tensors => tensors["model.norm.weight"].Values[3] = 1e9f),
            more: "out_dtype: float16\n"), "model.norm.weight", "too large for float16");

    [Fact]
    public void AMistypedParameterIsNamedWithItsPlace()
    {
        string text = $"merge_method: linear\nmodels:\n  - model: {A}\n    parameters:\n      wieght: 1\n";
        var error = Assert.Throws<ConfigurationException>(() => MergePlan.Make(MergeConfig.Parse(text, "merge.yaml"), new MergeOptions { Output = "o" }));
        Assert.StartsWith("merge.yaml:5:7 models[0].parameters.wieght: unknown parameter 'wieght'; did you mean 'weight'?", error.Message);
    }

    [Fact]
    public void AnUnknownMethodIsNamedWithTheNearOne()
    {
        var error = Assert.Throws<ConfigurationException>(() => MergePlan.Make(MergeConfig.Parse($"merge_method: slrep\nmodels: [{A}]", "merge.yaml"), new MergeOptions { Output = "o" }));
        Has(error, "merge.yaml:1:15", "did you mean 'slerp'?");
    }

    [Fact]
    public void TokenizersThatDifferAreNoted()
    {
        string b = TinyModel.Write(_folder["b"], 2);
        File.WriteAllText(Path.Combine(A, "tokenizer.json"), """{"model":{"type":"BPE","vocab":{"x":0,"y":1},"merges":[]}}""");
        File.WriteAllText(Path.Combine(b, "tokenizer.json"), """{"model":{"type":"BPE","vocab":{"x":1,"y":0},"merges":[]}}""");
        string models = $"models:\n  - {{model: {_folder["a"]}, parameters: {{weight: 1}}}}\n  - {{model: {b}, parameters: {{weight: 1}}}}\n";
        var plan = MergePlan.Make(MergeConfig.Parse("merge_method: linear\n" + models, "merge.yaml"), new MergeOptions { Output = "o" });
        Assert.Contains(plan.Notes, note => note.Contains("the tokenizers of") && note.Contains("'x' is number 0 in the first, number 1 in the second"));
        var error = Assert.ThrowsAny<RecallException>(() => MergePlan.Make(MergeConfig.Parse("merge_method: recall\n" + models, "merge.yaml"), new MergeOptions { Output = "o" }));
        Has(error, "the tokenizers of", "same tokens");
    }

    [Fact]
    public void AFullDiskIsFoundBeforeAnythingIsMerged()
    {
        // A limit on the size of files stands for a disk that is full.
        string b = TinyModel.Write(_folder["b"], 2), config = _folder["merge.yaml"];
        File.WriteAllText(config, $"merge_method: linear\nmodels: [{{model: {A}, parameters: {{weight: 1}}}}, {{model: {b}, parameters: {{weight: 1}}}}]");
        var plan = MergePlan.Make(MergeConfig.Read(config), new MergeOptions { Output = _folder["out"] });
        var tooLarge = plan with { Cost = plan.Cost with { OutputBytes = long.MaxValue / 2 } };
        Has(Assert.Throws<RecallException>(() => MergeRun.Run(tooLarge)), "the output needs", "free");
        Assert.False(Directory.Exists(_folder["out"]));
    }

    public void Dispose() => _folder.Dispose();
}
