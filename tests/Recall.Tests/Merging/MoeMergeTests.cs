using System.Text.Json.Nodes;
using CsCheck;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Tests.Mergekit;
using Recall.Tests.Planning;

namespace Recall.Tests.Merging;

/// <summary>Mixtures of experts: everything but the router is that of the models; what does not fit is refused before anything is written.</summary>
public sealed class MoeMergeTests : IDisposable
{
    const string Letters = "abcdefgh";

    readonly TemporaryFolder _folder = new();

    string Model(string name, int seed, DType type = DType.F32, Action<Dictionary<string, (Shape Shape, float[] Values)>>? change = null, Action<JsonObject>? config = null,
        int hidden = TinyModel.Hidden, int layers = TinyModel.Layers)
    {
        string folder = TinyModel.Write(_folder[name], seed, type, change, config, hidden, layers: layers);
        return TinyTokenizer.Write(folder, Letters);
    }

    static void Qwen3(JsonObject config)
    {
        (config["architectures"], config["model_type"]) = (new JsonArray("Qwen3ForCausalLM"), "qwen3");
        config["head_dim"] = 8;
    }

    static void HeadNorms(Dictionary<string, (Shape Shape, float[] Values)> tensors)
    {
        for (int layer = 0; layer < TinyModel.Layers; layer++)
            foreach (string name in new[] { "q_norm", "k_norm" })
                tensors[$"model.layers.{layer}.self_attn.{name}.weight"] = (new Shape(8), [.. Enumerable.Repeat(1f, 8)]);
    }

    string Text(string keys, params string[] experts) =>
        $"base_model: {_folder["base"]}\n{keys}\nexperts:\n" + string.Concat(experts.Select(expert => $"  - {{source_model: {_folder[expert.Split(',')[0]]}{expert[expert.Split(',')[0].Length..]}}}\n"));

    MergePlan Plan(string text, string output = "out", int threads = 2, long seed = 0) =>
        MoeMerge.Plan(MoeConfig.Parse(text, "moe.yaml"), new MergeOptions { Output = _folder[output], Threads = threads, Seed = seed });

    Dictionary<string, float[]> Run(string text, string output = "out", int threads = 2, long seed = 0)
    {
        MergeRun.Run(Plan(text, output, threads, seed));
        return Values(output);
    }

    Dictionary<string, float[]> Values(string model) => Checkpoint.Open(_folder[model]).Tensors.ToDictionary(tensor => tensor.Name, MergekitCase.Values);

    string Refused(string text)
    {
        string message = Assert.ThrowsAny<RecallException>(() => Plan(text)).Message;
        Assert.False(Directory.Exists(_folder["out"]));
        return message;
    }

    [Fact]
    public void WithDrawnGatesEverythingButTheRouterIsThatOfTheModels() =>
        Gen.Select(Gen.Int[1, 5], Gen.Int[0, 1000], Gen.OneOf(Gen.Const(DType.F32), Gen.Const(DType.BF16)), Gen.OneOf(Gen.Const("random"), Gen.Const("uniform_random")))
            .Sample((experts, seed, type, mode) =>
            {
                Model("base", seed, type);
                for (int i = 0; i < experts; i++) Model($"e{i}", seed + i + 1, type);
                string output = $"out-{Guid.NewGuid():N}";
                var mixture = Run(Text($"gate_mode: {mode}\nexperts_per_token: 1", [.. Enumerable.Range(0, experts).Select(i => $"e{i}")]), output, seed: seed);
                var dense = Values("base");
                var sources = Enumerable.Range(0, experts).Select(i => Values($"e{i}")).ToList();
                int left = mixture.Count;
                foreach (var (name, values) in dense.Where(tensor => !tensor.Key.Contains(".mlp.")))
                {
                    Assert.Equal(values, mixture[name]);
                    left--;
                }
                for (int layer = 0; layer < TinyModel.Layers; layer++)
                {
                    string mlp = $"model.layers.{layer}.mlp.";
                    Assert.Equal(sources.SelectMany(source => source[mlp + "gate_proj.weight"].Concat(source[mlp + "up_proj.weight"])), mixture[mlp + "experts.gate_up_proj"]);
                    Assert.Equal(sources.SelectMany(source => source[mlp + "down_proj.weight"]), mixture[mlp + "experts.down_proj"]);
                    Assert.Equal(experts * TinyModel.Hidden, mixture[mlp + "gate.weight"].Length);
                    if (mode == "uniform_random") Assert.All(mixture[mlp + "gate.weight"], value => Assert.InRange(value, -0.25, 0.25));
                    left -= 3;
                }
                Assert.Equal(0, left);
            }, iter: 8, threads: 1);

    [Fact]
    public void TheSameSeedGivesTheSameBytesOnAnyNumberOfThreads()
    {
        foreach (var (name, seed) in new[] { ("base", 1), ("a", 2), ("b", 3) }) Model(name, seed, DType.BF16);
        string text = Text("gate_mode: random\ndtype: float32", "a, noise_scale: 0.5", "b, noise_scale: 0.5, residual_scale: 0.5");
        Run(text, "one", threads: 1, seed: 7);
        Run(text, "four", threads: 4, seed: 7);
        Run(text, "other", threads: 4, seed: 8);
        Assert.Equal(TinyModel.Bytes(_folder["one"]), TinyModel.Bytes(_folder["four"]));
        Assert.NotEqual(TinyModel.Bytes(_folder["one"]), TinyModel.Bytes(_folder["other"]));
    }

    [Fact]
    public void NoiseIsNormalAndTheScaleIsThatOfWhatTheExpertGives()
    {
        Model("base", 1);
        Model("a", 2);
        var mixture = Run(Text("gate_mode: random", "a, noise_scale: 0.25, residual_scale: 0.5", "a, residual_scale: -2"));
        var source = Values("a");
        var noise = new List<double>();
        for (int layer = 0; layer < TinyModel.Layers; layer++)
        {
            string mlp = $"model.layers.{layer}.mlp.";
            var (inside, down) = (source[mlp + "gate_proj.weight"].Concat(source[mlp + "up_proj.weight"]).ToArray(), source[mlp + "down_proj.weight"]);
            var (stacked, stackedDown) = (mixture[mlp + "experts.gate_up_proj"], mixture[mlp + "experts.down_proj"]);
            for (int i = 0; i < inside.Length; i++) noise.Add(stacked[i] - inside[i]);
            for (int i = 0; i < down.Length; i++) noise.Add(stackedDown[i] / 0.5 - down[i]);
            Assert.Equal(inside, stacked[inside.Length..]);
            Assert.Equal(down.Select(value => value * -2), stackedDown[down.Length..]);
        }
        double mean = noise.Average(), deviation = Math.Sqrt(noise.Average(value => value * value));
        Assert.InRange(mean, -5 * 0.25 / Math.Sqrt(noise.Count), 5 * 0.25 / Math.Sqrt(noise.Count));
        Assert.InRange(deviation, 0.25 * (1 - 5 / Math.Sqrt(2 * noise.Count)), 0.25 * (1 + 5 / Math.Sqrt(2 * noise.Count)));
        double inner = noise.Count(value => Math.Abs(value) < 0.25) / (double)noise.Count;   // 68 % within one deviation
        Assert.InRange(inner, 0.6827 - 5 * 0.466 / Math.Sqrt(noise.Count), 0.6827 + 5 * 0.466 / Math.Sqrt(noise.Count));
        Assert.Equal(noise.Count, noise.Distinct().Count());
    }

    [Fact]
    public void DeepSeekHasSeparateExpertsAndASharedOneThatNeedBeNoOther()
    {
        foreach (var (name, seed) in new[] { ("base", 1), ("a", 2), ("b", 3), ("shared", 4) }) Model(name, seed);
        var mixture = Run(Text("gate_mode: random\narchitecture: deepseek", "a", "b") + $"shared_experts: [{{source_model: {_folder["shared"]}, residual_scale: 0.5}}]\n");
        Assert.Equal(Values("b")["model.layers.1.mlp.up_proj.weight"], mixture["model.layers.1.mlp.experts.1.up_proj.weight"]);
        Assert.Equal(Values("shared")["model.layers.2.mlp.down_proj.weight"].Select(value => value * 0.5f), mixture["model.layers.2.mlp.shared_experts.down_proj.weight"]);
        Assert.DoesNotContain(mixture.Keys, name => name.Contains("shared_expert_gate") || name.EndsWith(".bias"));
        var config = Checkpoint.ReadConfig(_folder["out", "config.json"]);
        Assert.Equal(("deepseek", 2, 1, 24), ((string)config["model_type"]!, (int)config["n_routed_experts"]!, (int)config["n_shared_experts"]!, (int)config["moe_intermediate_size"]!));
    }

    [Fact]
    public void Qwen3ModelsBecomeQwen3Moe()
    {
        foreach (var (name, seed) in new[] { ("base", 1), ("a", 2), ("b", 3) }) Model(name, seed, change: HeadNorms, config: Qwen3);
        var mixture = Run(Text("gate_mode: hidden_avg", "a, positive_prompts: [ab]", "b, positive_prompts: [cd]"));
        Assert.Equal(2 * 48 * TinyModel.Hidden, mixture["model.layers.0.mlp.experts.gate_up_proj"].Length);
        Assert.Equal(8, mixture["model.layers.0.self_attn.q_norm.weight"].Length);
        // Layer 0 sees the embeddings: the mean over the tokens of a prompt.
        var embedding = Values("base")["model.embed_tokens.weight"];
        var mean = Enumerable.Range(0, TinyModel.Hidden).Select(i => (embedding[i] + embedding[TinyModel.Hidden + i]) / 2.0).ToList();
        double length = Math.Sqrt(mean.Sum(value => value * value));
        for (int i = 0; i < mean.Count; i++) Assert.Equal(mean[i] / length, mixture["model.layers.0.mlp.gate.weight"][i], 1e-6);
        var config = Checkpoint.ReadConfig(_folder["out", "config.json"]);
        Assert.Equal(("Qwen3MoeForCausalLM", 2, 24), ((string)config["architectures"]![0]!, (int)config["num_experts"]!, (int)config["moe_intermediate_size"]!));
    }

    [Fact]
    public void ThreeExpertsOfLikePromptsAreRemarkedUpon()
    {
        foreach (var (name, seed) in new[] { ("base", 1), ("a", 2), ("b", 3), ("c", 4) }) Model(name, seed);
        var plan = Plan(Text("gate_mode: cheap_embed", "a, positive_prompts: [abcdefgh]", "b, positive_prompts: [abcdefghabcdefghabcdefgha]", "c, positive_prompts: [b]"));
        Assert.Contains(plan.Notes, note => note.StartsWith("3 experts: not a power of two"));
        Assert.Contains(plan.Notes, note => note.StartsWith("the router can hardly tell the experts apart in all layers: its rows have a condition number of up to "));
    }

    [Fact]
    public void ModelsThatDoNotFitAreRefused()
    {
        Model("base", 1);
        Model("a", 2);
        Model("wide", 3, hidden: 32);
        Model("deep", 4, layers: 4);
        Model("slim", 5, change: tensors =>
        {
            foreach (string name in tensors.Keys.Where(name => name.Contains(".mlp.")).ToList())
                tensors[name] = name.Contains("down") ? (new Shape(16, 20), new float[320]) : (new Shape(20, 16), new float[320]);
        });
        Model("biased", 6, change: tensors => tensors["model.layers.1.mlp.up_proj.bias"] = (new Shape(24), new float[24]));
        Model("short", 7, change: tensors => tensors.Remove("model.layers.2.mlp.up_proj.weight"));
        Model("flat", 9, change: tensors => tensors["model.layers.0.mlp.gate_proj.weight"] = (new Shape(384), new float[384]));
        Model("qwen", 8, change: HeadNorms, config: Qwen3);
        string With(string second) => Refused(Text("gate_mode: random", "a", second));
        string Second(string what) => $"moe.yaml:5:5 experts[1]: {what}";
        Assert.StartsWith(Second($"{_folder["wide"]}: model.layers.0.mlp.gate_proj.weight has shape [24, 32]; [24, 16] is expected"), With("wide"));
        Assert.StartsWith(Second($"{_folder["deep"]} has 4 layers, the base model {_folder["base"]} 3"), With("deep"));
        Assert.StartsWith(Second($"the MLPs of {_folder["slim"]} have 20 inner values, those of {_folder["a"]} 24"), With("slim"));
        Assert.StartsWith(Second($"{_folder["biased"]} has tensor 'model.layers.1.mlp.up_proj.bias', for which there is no place in a Mixtral model"), With("biased"));
        Assert.StartsWith(Second($"{_folder["short"]} lacks tensor model.layers.2.mlp.up_proj.weight"), With("short"));
        Assert.StartsWith(Second($"{_folder["flat"]}: model.layers.0.mlp.gate_proj.weight has shape [384]; a matrix is expected"), With("flat"));
        Assert.StartsWith($"moe.yaml:1:1: no architecture takes these models: Mixtral is made of llama, mistral models, and {_folder["qwen"]} is qwen3; ", With("qwen"));
        Assert.Contains("no such model", With("nowhere"));
    }

    [Fact]
    public void ABaseModelThatDoesNotFitIsRefused()
    {
        Model("a", 2);
        Model("base", 1, change: tensors => tensors["model.layers.0.self_attn.q_proj.bias"] = (new Shape(16), new float[16]));
        Assert.StartsWith($"moe.yaml:1:13 base_model: {_folder["base"]} has tensor 'model.layers.0.self_attn.q_proj.bias', for which there is no place in a Mixtral model",
            Refused(Text("gate_mode: random", "a", "a")));
        Model("base", 1, change: tensors => tensors["model.layers.0.self_attn.q_proj.weight"] = (new Shape(256), new float[256]));
        Assert.StartsWith($"moe.yaml:1:13 base_model: {_folder["base"]}: model.layers.0.self_attn.q_proj.weight has shape [256]; a matrix is expected",
            Refused(Text("gate_mode: random", "a", "a")));
        Model("base", 1, change: tensors => tensors.Remove("lm_head.weight"));
        Assert.StartsWith($"moe.yaml:1:13 base_model: {_folder["base"]} lacks tensor lm_head.weight", Refused(Text("gate_mode: random", "a", "a")));
    }

    [Fact]
    public void AHeadThatIsTheEmbeddingStaysSo()
    {
        Model("base", 1, change: tensors => tensors.Remove("lm_head.weight"), config: config => config["tie_word_embeddings"] = true);
        Model("a", 2);
        Assert.DoesNotContain("lm_head.weight", Run(Text("gate_mode: random", "a", "a")).Keys);
        Assert.True((bool)Checkpoint.ReadConfig(_folder["out", "config.json"])["tie_word_embeddings"]!);
    }

    [Fact]
    public void KeysThatTheNewFamilyReadsDifferentlyAreStated()
    {
        Model("base", 1, config: config =>
        {
            (config["architectures"], config["model_type"]) = (new JsonArray("MistralForCausalLM"), "mistral");
            config["sliding_window"] = 4096;
            config.Remove("rms_norm_eps");
        });
        Model("a", 2);
        var plan = Plan(Text("gate_mode: random", "a", "base"));
        Assert.Contains(plan.Notes, note => note.Contains("sees the last 4096 tokens only (sliding_window)"));
        var config = plan.OutputConfig;
        Assert.Equal((10000.0, 131072, 1e-6, 1), ((double)config["rope_theta"]!, (int)config["max_position_embeddings"]!, (double)config["rms_norm_eps"]!, (int)config["num_key_value_heads"]!));
        Assert.True(config.ContainsKey("sliding_window") && config["sliding_window"] is null);
    }

    [Fact]
    public void WhatAnArchitectureHasNoPlaceForIsNamed()
    {
        foreach (var (name, seed) in new[] { ("base", 1), ("a", 2) }) Model(name, seed);
        string two = Text("gate_mode: random", "a", "a"), shared = $"shared_experts: [{{source_model: {_folder["a"]}}}]\n";
        Assert.StartsWith("moe.yaml:6:15 architecture: no architecture takes these models: Mixtral has no shared experts", Refused(two + "architecture: mixtral\n" + shared));
        Assert.StartsWith("moe.yaml:6:15 architecture: unknown architecture 'mistral'; known: Mixtral, DeepSeek MoE, Qwen MoE, Qwen3 MoE", Refused(two + "architecture: mistral\n"));
        Assert.Contains("Qwen MoE has exactly 1 shared expert, not 0; Qwen3 MoE is made of qwen3 models", Refused(two + "architecture: qwen\n"));
        string prompted = Text("gate_mode: hidden", "a, positive_prompts: [a]", "base, positive_prompts: [b]");
        Assert.Contains("Qwen MoE needs positive_prompts for its shared expert", Refused(prompted + "architecture: qwen\n" + shared));
    }

    [Theory]
    [InlineData("hidden"), InlineData("hidden_avg"), InlineData("cheap_embed")]
    public void PromptsThatMakeNoRowAreRefused(string mode)
    {
        foreach (var (name, seed) in new[] { ("base", 1), ("a", 2), ("b", 3) }) Model(name, seed);
        Assert.StartsWith("moe.yaml:4:5 experts[0].positive_prompts[1]: the prompt has no tokens",
            Refused(Text($"gate_mode: {mode}", "a, positive_prompts: [a, '']", "b, positive_prompts: [b]")));
        Assert.StartsWith("moe.yaml:5:5 experts[1].negative_prompts[0]: the prompt has 5000 tokens; at most 4096 are read",
            Refused(Text($"gate_mode: {mode}", "a, positive_prompts: [a]", $"b, positive_prompts: [b], negative_prompts: [{new string('a', 5000)}]")));
        Assert.StartsWith("moe.yaml:5:5 experts[1]: the expert's positive and negative prompts are the same to the base model (layer 0)",
            Refused(Text($"gate_mode: {mode}", "a, positive_prompts: [a]", "b, positive_prompts: [cb], negative_prompts: [cb]")));
    }

    [Fact]
    public void DamageInAnExpertIsNamed()
    {
        foreach (var (name, seed) in new[] { ("base", 1), ("a", 2) }) Model(name, seed);
        Model("b", 3, change: tensors => tensors["model.layers.1.mlp.up_proj.weight"].Values[5] = float.NaN);
        var plan = Plan(Text("gate_mode: random", "a", "b"));
        string message = Assert.Throws<RecallException>(() => MergeRun.Run(plan)).Message;
        Assert.StartsWith($"{_folder["a"]} or {_folder["b"]}: tensor model.layers.1.mlp.experts.gate_up_proj holds NaN at element ", message);
        Assert.False(File.Exists(_folder["out", "config.json"]));
    }

    public void Dispose() => _folder.Dispose();
}
