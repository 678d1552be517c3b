using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Architectures;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Tests.Mergekit;

namespace Recall.Tests.Merging;

/// <summary>Models of many families, merged with themselves: nothing may get lost on the way.</summary>
public class FamiliesTests
{
    static string Root => Fixtures.Shared("golden", "architectures");

    public static TheoryData<string> Models()
    {
        string root = Path.Combine(Fixtures.SharedRoot, "golden", "architectures");
        return Directory.Exists(root) ? [.. Directory.GetDirectories(root).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)] : ["none"];
    }

    [Theory, MemberData(nameof(Models))]
    public void AModelMergedWithItselfIsTheModel(string name)
    {
        string source = Path.Combine(Root, name);
        using var folder = new TemporaryFolder();
        foreach (string method in new[] { "linear", "passthrough" })
        {
            string models = method == "linear"
                ? $"models: [{{model: {source}, parameters: {{weight: 0.5}}}}, {{model: {source}, parameters: {{weight: 0.5}}}}]"
                : $"models: [{{model: {source}}}]";
            var result = MergeRun.Run(MergeConfig.Parse($"merge_method: {method}\n{models}\n", "merge.yaml"), new MergeOptions { Output = folder[method], Threads = 2 });
            var (before, after) = (Checkpoint.Open(source), Checkpoint.Open(folder[method]));
            Assert.Equal(before.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), after.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
            foreach (var tensor in before.Tensors)
            {
                var merged = after.Find(tensor.Name)!;
                Assert.Equal(tensor.Shape, merged.Shape);
                Assert.Equal(tensor.DType, merged.DType);
                if (!tensor.DType.IsFloat()) continue;
                float[] want = MergekitCase.Values(tensor), have = MergekitCase.Values(merged);
                for (int i = 0; i < want.Length; i++) Assert.True(Math.Abs(want[i] - have[i]) <= 1e-6 * Math.Max(1, Math.Abs(want[i])), $"{tensor.Name}[{i}]");
            }
            // The layers are those of the config, and no tensor of a layer is planned as one outside of them.
            var donor = result.Plan.Donor;
            Assert.Equal(Stated(donor), donor.LayerCount);
            foreach (var tensor in before.Tensors.Where(tensor => NumberOf(tensor.Name) is not null))
                Assert.True(donor.Architecture.LayerOf(tensor.Name) is { } place && place.Layer == NumberOf(tensor.Name), tensor.Name);
            Assert.Equal(ArchitectureTable.Find(donor.Checkpoint.Config) is not null, donor.Architecture.IsKnown);
        }
    }

    static int Stated(OpenedModel model)
    {
        string[] keys = ["num_decoder_layers", "num_hidden_layers", "n_layer", "n_layers", "num_layers"];
        return (int)keys.Select(key => model.Checkpoint.Config[key]).First(value => value is not null)!;
    }

    /// <summary>The first part of a name that is a number.</summary>
    static int? NumberOf(string name) => name.Split('.').Skip(1).SkipLast(1).Select(part => int.TryParse(part, out int number) ? number : (int?)null).FirstOrDefault(number => number is not null);

    [Fact]
    public void WhatTheFamilyHasNoRuleForIsNamed()
    {
        using var folder = new TemporaryFolder();
        string a = TinyModel.Write(folder["a"], 1, change: tensors =>
        {
            for (int layer = 0; layer < TinyModel.Layers; layer++)
                tensors.Add($"model.layers.{layer}.self_attn.q_proj.bias", (new Shape(TinyModel.Hidden), new float[TinyModel.Hidden]));
            tensors.Add("model.layers.3.eh_proj.weight", (new Shape(2, 2), [1, 2, 3, 4]));
            tensors.Add("extra.weight", (new Shape(2), [1, 2]));
        });
        var plan = MergePlan.Make(MergeConfig.Parse($"merge_method: passthrough\nmodels: [{{model: {a}}}]\n", "merge.yaml"), new MergeOptions { Output = folder["out"] });
        Assert.Contains(plan.Notes, note => note.Contains("model.layers.*.self_attn.q_proj.bias (3)") && note.Contains("extra.weight") && note.Contains("no rule"));
        Assert.Contains(plan.Notes, note => note.Contains("model.layers.3: beyond the 3 layers that config.json states"));
        Assert.Equal(Checkpoint.Open(a).Tensors.Count, plan.Tensors.Length);
        // Where layers are chosen, the one beyond has no place, and that is said.
        plan = MergePlan.Make(
            MergeConfig.Parse($"merge_method: passthrough\nslices: [{{sources: [{{model: {a}, layer_range: [0, 2]}}]}}]\n", "merge.yaml"), new MergeOptions { Output = folder["out"] });
        Assert.Contains(plan.Notes, note => note.Contains("model.layers.3") && note.Contains("left out"));
        Assert.DoesNotContain(plan.Tensors, tensor => tensor.Name.Contains("eh_proj"));
    }

    [Fact]
    public void NamesOfAnotherLayoutAreTheSameTensors()
    {
        using var folder = new TemporaryFolder();
        string full = SmallModels.Gpt2(folder["full"], 1, "transformer."), bare = SmallModels.Gpt2(folder["bare"], 2, "");
        var result = MergeRun.Run(
            MergeConfig.Parse($"merge_method: linear\nparameters: {{weight: 1}}\nmodels: [{{model: {full}}}, {{model: {bare}}}]\n", "merge.yaml"), new MergeOptions { Output = folder["out"] });
        Assert.Contains(result.Plan.Notes, note => note.Contains("taken for the same"));
        Checkpoint one = Checkpoint.Open(full), two = Checkpoint.Open(bare), merged = Checkpoint.Open(folder["out"]);
        Assert.Equal(one.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), merged.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        foreach (var tensor in one.Tensors)
        {
            float[] x = MergekitCase.Values(tensor), y = MergekitCase.Values(two.Find(tensor.Name["transformer.".Length..])!), got = MergekitCase.Values(merged.Find(tensor.Name)!);
            for (int i = 0; i < x.Length; i++) Assert.Equal((x[i] + y[i]) / 2, got[i], 1e-6);
        }
    }

    [Fact]
    public void AClassWhoseNamesAreNotThereIsInferred()
    {
        using var folder = new TemporaryFolder();
        string odd = SmallModels.Write(folder["odd"], 1, new JsonObject { ["architectures"] = new JsonArray("LlamaForCausalLM"), ["num_hidden_layers"] = 2 },
            ["trunk.blocks.0.w", "trunk.blocks.1.w", "trunk.norm"]);
        var plan = MergePlan.Make(MergeConfig.Parse($"merge_method: passthrough\nmodels: [{{model: {odd}}}]\n", "merge.yaml"), new MergeOptions { Output = folder["out"] });
        Assert.Equal(3, plan.Tensors.Length);
        Assert.Contains(plan.Notes, note => note.Contains("no tensor is named as those of LlamaForCausalLM") && note.Contains("trunk.blocks.* (2)"));
    }
}
