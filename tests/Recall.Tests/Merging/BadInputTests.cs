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
            _folder["b"], $"lacks tensor model.layers.1.mlp.up_proj.weight, which {_folder["a"]} has: are all of its files there");

    [Fact]
    public void ShapesThatDifferAreNamedWithBothModels() =>
        Has(Refused(TinyModel.Write(_folder["b"], 2, hidden: 32)), "the shapes differ", "[16", "[32", _folder["b"],
            "(hidden_size is 16 and 32); only models of the same sizes can be merged");

    [Fact]
    public void AModelWithOtherDepthIsNamed() => Has(Refused(TinyModel.Write(_folder["b"], 2, layers: 2)), "merge.yaml:4:5 models[1]: ",
        "has 2 layers", "has 3", "models of different depth merge only by 'slices'");

    /// <summary>As in mergekit; what is done is noted.</summary>
    [Fact]
    public void OtherVocabulariesAreCutByLinearAndRefusedByOthers()
    {
        string b = TinyModel.Write(_folder["b"], 2, vocabulary: 46);
        Has(Refused(b, "multislerp"), "embed_tokens.weight: the shapes differ: [40, 16]", "[46, 16]", "merge with a 'tokenizer' key");
        var plan = MergePlan.Make(MergeConfig.Parse(
            $"merge_method: linear\nmodels: [{{model: {A}}}, {{model: {b}}}]\nparameters: {{weight: 1}}\n", "merge.yaml"), new MergeOptions { Output = _folder["out"] });
        Assert.Contains("model.embed_tokens.weight: the models have [40, 16], [46, 16]: cut to [40, 16], which all have", plan.Notes);
    }

    [Fact]
    public void ATensorOfOneModelThatTheFamilyDoesNotNeedIsNoted()
    {
        string b = TinyModel.Write(_folder["b"], 2, change: tensors => tensors.Add("model.layers.1.self_attn.rotary_emb.inv_freq", (new Recall.Checkpoints.Shape(4), new float[4])));
        var plan = MergePlan.Make(MergeConfig.Parse(
            $"merge_method: linear\nmodels: [{{model: {A}}}, {{model: {b}}}]\nparameters: {{weight: 1}}\n", "merge.yaml"), new MergeOptions { Output = _folder["out"] });
        Assert.Contains($"model.layers.1.self_attn.rotary_emb.inv_freq: only {b} has it, and the family needs no such tensor: left out", plan.Notes);
    }

    [Theory]
    [InlineData("merge.yaml:1:15 merge_method: the method ties needs a base model: set base_model", "merge_method: ties\nmodels: [{model: A, parameters: {weight: 1}}]")]
    [InlineData("merge.yaml:2:10 models[0]: the method linear needs parameter 'weight' of ", "merge_method: linear\nmodels: [{model: A}]")]
    [InlineData("merge.yaml:2:10 models[0]: the method linear needs parameter 'weight' of ",
        "merge_method: linear\nmodels: [{model: A, parameters: {weight: [{filter: mlp, value: 1}]}}]")]
    [InlineData("a gradient needs at least one number", "merge_method: linear\nmodels: [{model: A, parameters: {weight: []}}]")]
    [InlineData("layer_range [0, 9] goes beyond the 3 layers of ", "merge_method: passthrough\nslices: [{sources: [{model: A, layer_range: [0, 9]}]}]")]
    [InlineData("the range [2, 1] holds no layer", "merge_method: passthrough\nslices: [{sources: [{model: A, layer_range: [2, 1]}]}]")]
    [InlineData("all sources of a slice must have the same number of layers; this one has 1, the first 2",
        "merge_method: linear\nparameters: {weight: 1}\nslices: [{sources: [{model: A, layer_range: [0, 2]}, {model: A, layer_range: [0, 1]}]}]")]
    [InlineData("merge.yaml:2:1: unknown key 'modles'; did you mean 'models'?", "merge_method: linear\nmodles: [{model: A}]")]
    public void ConfigsThatAskForWhatIsNotThereAreRefused(string message, string text)
    {
        string config = text.Replace("model: A", $"model: {A}", StringComparison.Ordinal);
        var error = Assert.ThrowsAny<RecallException>(() => MergeRun.Run(MergeConfig.Parse(config, "merge.yaml"), new MergeOptions { Output = _folder["out"] }));
        Assert.Contains(message, error.Message);
        Assert.False(Directory.Exists(_folder["out"]), "something was written");
    }

    [Fact]
    public void AFilterThatFitsNothingIsNoted()
    {
        var plan = MergePlan.Make(MergeConfig.Parse(
            $"merge_method: linear\nmodels: [{{model: {A}, parameters: {{weight: [{{filter: self_atn, value: 1}}, {{value: 0.5}}]}}}}]\n", "merge.yaml"),
            new MergeOptions { Output = _folder["out"] });
        Assert.Contains(plan.Notes, note => note.Contains("filter 'self_atn' fits no tensor; filters are parts of tensor names"));
    }

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
