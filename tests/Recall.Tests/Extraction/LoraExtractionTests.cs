using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Configuration;
using Recall.Extraction;
using Recall.Tests.Mergekit;

namespace Recall.Tests.Extraction;

public class LoraExtractionTests
{
    static string Root => MergekitCases.Root;

    static ModelReference Model(string name) => ModelReference.Parse(Path.Combine(Root, "inputs", name));

    [Theory]
    [InlineData("130-extract-lora-rank-4")]
    [InlineData("131-extract-lora-options")]
    [InlineData("132-extract-lora-full-rank")]
    public void AdaptersAreThoseOfMergekit(string name)
    {
        var @case = MergekitCases.Get(name);
        string[] arguments = [.. @case.Case["arguments"]!.AsArray().Select(argument => (string)argument!)];
        string[] After(params string[] flags) => [.. arguments.Index().Where(item => item.Index > 0 && flags.Contains(arguments[item.Index - 1])).Select(item => item.Item)];
        using var folder = new TemporaryFolder();
        var result = LoraExtraction.Run(
            ModelReference.Parse(Path.Combine(Root, After("--model")[0])), ModelReference.Parse(Path.Combine(Root, After("--base-model")[0])), new ExtractionOptions
            {
                Output = folder["out"],
                MaxRank = int.Parse(After("--max-rank")[0]),
                DistributeScale = !arguments.Contains("--no-distribute-scale"),
                EmbedLora = arguments.Contains("--embed-lora"),
                SaveModules = [.. After("--save-module")],
                Exclude = [.. After("-e")],
                Include = [.. After("-i")],
                SvEpsilon = After("--sv-epsilon") is [var epsilon] ? double.Parse(epsilon, System.Globalization.CultureInfo.InvariantCulture) : 0,
                SkipUndecomposable = arguments.Contains("--skip-undecomposable"),
            });
        Compare(Path.Combine(@case.Folder, "expected"), folder["out"]);
        Assert.All(result.Modules, module => Assert.InRange(module.Lost, 0, 1));
        Assert.Equal(name.StartsWith("132", StringComparison.Ordinal), result.Modules.All(module => module.Lost < 1e-12));
    }

    static void Compare(string expected, string got)
    {
        var (want, have) = (Read(expected), Read(got));
        Assert.Equal(want.Tensors.Keys.Order(StringComparer.Ordinal), have.Tensors.Keys.Order(StringComparer.Ordinal));
        foreach (string key in new[] { "target_modules", "modules_to_save" })
            Assert.Equal(want.Config[key]!.AsArray().Select(item => (string)item!).Order(), have.Config[key]!.AsArray().Select(item => (string)item!).Order());
        foreach (string key in new[] { "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "fan_in_fan_out", "task_type" })
        {
            if (want.Config[key] is JsonObject pattern)
                Assert.Equal(pattern.OrderBy(entry => entry.Key).Select(entry => (entry.Key, (double)entry.Value!)),
                    have.Config[key]!.AsObject().OrderBy(entry => entry.Key).Select(entry => (entry.Key, (double)entry.Value!)));
            else Assert.Equal(want.Config[key]!.ToJsonString(), have.Config[key]!.ToJsonString());
        }
        foreach (var (tensorName, tensor) in want.Tensors)
        {
            Assert.Equal(tensor.Shape, have.Tensors[tensorName].Shape);
            Assert.Equal(tensor.DType, have.Tensors[tensorName].DType);
            if (tensorName.Contains("lora_A") || tensorName.Contains("embedding_A"))
            {
                string b = tensorName.Replace("_A", "_B", StringComparison.Ordinal);
                Close(Product(tensor, want.Tensors[b]), Product(have.Tensors[tensorName], have.Tensors[b]), 1e-4, tensorName);
            }
            else if (!tensorName.Contains("lora_")) Assert.Equal(MergekitCase.Values(tensor), MergekitCase.Values(have.Tensors[tensorName]));
            else if (tensorName.EndsWith("bias", StringComparison.Ordinal)) Close(MergekitCase.Values(tensor), MergekitCase.Values(have.Tensors[tensorName]), 2e-6, tensorName);
        }
    }

    /// <summary>s is 1: alpha is the rank.</summary>
    static float[] Product(TensorSource a, TensorSource b)
    {
        float[] left = MergekitCase.Values(b), right = MergekitCase.Values(a);
        int rank = (int)a.Shape[0], columns = (int)a.Shape[1], rows = (int)b.Shape[0];
        var product = new float[rows * columns];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                for (int k = 0; k < rank; k++) product[i * columns + j] += left[i * rank + k] * right[k * columns + j];
        return product;
    }

    static void Close(float[] want, float[] have, double share, string name)
    {
        double largest = want.Max(Math.Abs);
        if (largest > 0) CaseOutcome.Compared(want.Zip(have, (first, second) => Math.Abs(first - second)).Max() / largest);
        Assert.All(want.Zip(have), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= share * largest, name));
    }

    static (JsonObject Config, Dictionary<string, TensorSource> Tensors) Read(string folder) => (
        (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!,
        Checkpoint.Open(Path.Combine(folder, "adapter_model.safetensors")).Tensors.ToDictionary(tensor => tensor.Name));

    /// <summary>At full rank the adapter gives the fine-tuned model back, biases, excluded layers and a tied head included.</summary>
    [Theory]
    [InlineData("qwen2-base", "qwen2-a", false)]
    [InlineData("llama-base-bf16", "llama-a-bf16", true, 0.01)]
    [InlineData("llama-base-fp16", "llama-a-fp16", false, 0.001)]
    [InlineData("qwen2-base", "qwen2-a", true)]
    [InlineData("mini-base", "mini-a", true)]
    [InlineData("gemma2-base", "gemma2-a", false)]
    [InlineData("gemma2-base", "gemma2-a", true)]
    public void AtFullRankBaseAndAdapterAreTheModel(string baseName, string tunedName, bool embed, double share = 1e-5)
    {
        Assert.SkipUnless(Directory.Exists(Model(baseName).Model.Path), $"no {baseName}");
        using var folder = new TemporaryFolder();
        LoraExtraction.Run(Model(tunedName), Model(baseName), new ExtractionOptions { Output = folder["out"], EmbedLora = embed });
        var origin = Checkpoint.Open(Model(baseName).Model.Path);
        Assert.All(Checkpoint.Open(folder["out", "adapter_model.safetensors"]).Tensors, tensor => Assert.Equal(origin.Tensors[0].DType, tensor.DType));
        var again = LoraAdapter.Open(folder["out"]).Apply(origin);
        foreach (var tensor in Checkpoint.Open(Model(tunedName).Model.Path).Tensors)
            Close(MergekitCase.Values(tensor), MergekitCase.Values(again.Find(tensor.Name)!), share, tensor.Name);
    }

    /// <summary>PEFT loads no adapter with lora_bias and factors of an embedding.</summary>
    [Fact]
    public void BiasesHoldTheEmbeddingWhole()
    {
        using var folder = new TemporaryFolder();
        var result = LoraExtraction.Run(Model("qwen2-a"), Model("qwen2-base"), new ExtractionOptions { Output = folder["out"], EmbedLora = true });
        Assert.Contains(result.Notes, note => note.Contains("is held whole: PEFT takes no factors"));
        Assert.Null(result.Modules.Single(module => module.Module == "model.embed_tokens").Rank);
        Assert.True((bool)Read(folder["out"]).Config["lora_bias"]!);
    }

    [Fact]
    public void ExcludedLayersStayThoseOfTheBase()
    {
        using var folder = new TemporaryFolder();
        LoraExtraction.Run(Model("mini-a"), Model("mini-base"), new ExtractionOptions { Output = folder["out"], Exclude = [@"layers\.1\."] });
        var (origin, again) = (Checkpoint.Open(Model("mini-base").Model.Path), LoraAdapter.Open(folder["out"]).Apply(Checkpoint.Open(Model("mini-base").Model.Path)));
        foreach (var tensor in origin.Tensors)
            Assert.Equal(tensor.Name.Contains("layers.1."), MergekitCase.Values(tensor).SequenceEqual(MergekitCase.Values(again.Find(tensor.Name)!)));
    }

    [Fact]
    public void AnAdapterOfAnAdapterIsTheAdapter()
    {
        string adapter = Directory.GetDirectories(Path.Combine(Root, "inputs")).First(folder => File.Exists(Path.Combine(folder, "adapter_config.json")) && folder.Contains("lora"));
        using var folder = new TemporaryFolder();
        string model = $"{Model("mini-base").Model.Path}+{adapter}";
        var result = LoraExtraction.Run(ModelReference.Parse(model), Model("mini-base"), new ExtractionOptions { Output = folder["out"], SkipUndecomposable = true });
        int largest = LoraAdapter.Open(adapter).Modules.Max(module => module.Rank);
        // float32 rounding of base + update leaves a little beyond the update's rank.
        Assert.All(result.Modules.Where(module => module.Rank is not null), module => Assert.InRange(module.Lost, 0, 1e-9));
        var cut = LoraExtraction.Run(ModelReference.Parse(model), Model("mini-base"), new ExtractionOptions { Output = folder["cut"], MaxRank = largest });
        Assert.All(cut.Modules, module => Assert.InRange(module.Lost, 0, 1e-9));
    }

    [Fact]
    public void WhatCannotBeExtractedIsRefusedBeforeAnythingIsWritten()
    {
        using var folder = new TemporaryFolder();
        var options = new ExtractionOptions { Output = folder["out"] };
        void Refused(string part, ModelReference tuned, ExtractionOptions asked)
        {
            var e = Assert.Throws<RecallException>(() => LoraExtraction.Run(tuned, Model("mini-base"), asked));
            Assert.Contains(part, e.Message);
            Assert.False(Directory.Exists(folder["out"]));
        }
        void RefusedWord(string part, ExtractionOptions asked)
        {
            Assert.Contains(part, Assert.Throws<ConfigurationException>(() => LoraExtraction.Run(Model("mini-a"), Model("mini-base"), asked)).Message);
            Assert.False(Directory.Exists(folder["out"]));
        }
        Refused("does not differ", Model("mini-base"), options);
        Refused("regular expression", Model("mini-a"), options with { Exclude = ["("] });
        Refused("no linear layer", Model("mini-a"), options with { Include = ["nothing_like_it"] });
        Refused("an adapter cannot change it", Model("mini-wide"), options);
        RefusedWord("did you mean 'lm_head'", options with { SaveModules = ["lm_haed"] });
        RefusedWord("a rank is at least 1", options with { MaxRank = 0 });
        RefusedWord("--sv-epsilon", options with { SvEpsilon = double.NaN });
        File.WriteAllText(folder["there"], "");
        Refused("is a file", Model("mini-a"), options with { Output = folder["there"] });
    }
}
