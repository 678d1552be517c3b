using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Architectures;
using Recall.Configuration;
using Recall.Planning;
using Recall.Tests.Mergekit;

namespace Recall.Tests.Merging;

/// <summary>Models of several modules: vision tower, projector and text decoder; encoder and decoder.</summary>
public sealed class ModulesTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    MergeOptions Options => new() { Output = _folder["out"], Threads = 2 };

    MergeResult Run(string yaml, string output = "out") => MergeRun.Run(MergeConfig.Parse(yaml, "merge.yaml"), Options with { Output = _folder[output] });

    float[] Merged(string name) => MergekitCase.Values(Checkpoint.Open(_folder["out"]).Find(name)!);

    static float[] Of(string model, string name) => MergekitCase.Values(Checkpoint.Open(model).Find(name)!);

    static float[] Mean(float[] a, float[] b, float share) => [.. a.Zip(b, (x, y) => (1 - share) * x + share * y)];

    static void Near(float[] expected, float[] got)
    {
        Assert.Equal(expected.Length, got.Length);
        for (int i = 0; i < got.Length; i++) Assert.Equal(expected[i], got[i], 1e-6);
    }

    [Fact]
    public void TheModelsFormGoesForEveryModuleAtItsOwnDepth()
    {
        string a = SmallModels.Gemma3(_folder["a"], 1), b = SmallModels.Gemma3(_folder["b"], 2);
        var result = Run($$"""
            merge_method: linear
            parameters: {normalize: false}
            models:
              - {model: {{a}}, parameters: {weight: [1, 0]} }
              - {model: {{b}}, parameters: {weight: [0, 1]} }
            """);
        Assert.Equal(Checkpoint.Open(a).Tensors.Count, result.Plan.Tensors.Length);
        const string Text = "language_model.model.layers.1.mlp.up_proj.weight", Vision = "vision_tower.vision_model.encoder.layers.1.mlp.fc1.weight";
        Near(Mean(Of(a, Text), Of(b, Text), 0.5f), Merged(Text));               // the second of three layers
        Near(Of(b, Vision), Merged(Vision));                                    // the second of two
        Near(Of(a, "multi_modal_projector.mm_input_projection_weight"), Merged("multi_modal_projector.mm_input_projection_weight"));
        Near(Of(a, "vision_tower.vision_model.post_layernorm.bias"), Merged("vision_tower.vision_model.post_layernorm.bias"));
        Assert.Equal(3, result.Plan.LayerCount);
        Assert.DoesNotContain(result.Plan.Notes, note => note.Contains("no rule") || note.Contains("left out"));
        Assert.True(File.Exists(_folder["out", "preprocessor_config.json"]));
    }

    [Fact]
    public void EachModuleIsMergedAsItSays()
    {
        string a = SmallModels.Gemma3(_folder["a"], 1), b = SmallModels.Gemma3(_folder["b"], 2);
        var result = Run($$"""
            merge_method: passthrough
            modules:
              text_decoder:
                slices:
                  - sources: [{model: {{a}}, layer_range: [0, 3]}]
                  - sources: [{model: {{b}}, layer_range: [1, 3]}]
              multi_modal_projector: {models: [{model: {{b}} }]}
              vision_tower:
                slices: [{sources: [{model: {{b}}, layer_range: [0, 1]}]}]
            """);
        Near(Of(b, "language_model.model.layers.1.mlp.up_proj.weight"), Merged("language_model.model.layers.3.mlp.up_proj.weight"));
        Near(Of(a, "language_model.model.embed_tokens.weight"), Merged("language_model.model.embed_tokens.weight"));
        Near(Of(b, "language_model.model.norm.weight"), Merged("language_model.model.norm.weight"));
        Near(Of(b, "multi_modal_projector.mm_soft_emb_norm.weight"), Merged("multi_modal_projector.mm_soft_emb_norm.weight"));
        Near(Of(b, "vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias"), Merged("vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias"));
        Assert.Null(Checkpoint.Open(_folder["out"]).Find("vision_tower.vision_model.encoder.layers.1.mlp.fc1.bias"));
        var config = Checkpoint.ReadConfig(_folder["out", "config.json"]);
        Assert.Equal(5, (int)config["text_config"]!["num_hidden_layers"]!);
        Assert.Equal(1, (int)config["vision_config"]!["num_hidden_layers"]!);
        Assert.Equal(new[] { "a", "b", "c", "b", "c" }, config["text_config"]!["layer_types"]!.AsArray().Select(type => (string)type!));
        Assert.Null(config["num_hidden_layers"]);
        Assert.Equal(5, result.Plan.LayerCount);
    }

    [Fact]
    public void ParametersOfAModuleHoldInItAlone()
    {
        string a = SmallModels.Gemma3(_folder["a"], 1), b = SmallModels.Gemma3(_folder["b"], 2);
        Run($$"""
            merge_method: linear
            modules:
              text_decoder:
                models: [{model: {{a}}, parameters: {weight: 1} }, {model: {{b}} }]
                parameters: {weight: 0}
              multi_modal_projector: {models: [{model: {{a}} }, {model: {{b}} }]}
              vision_tower: {models: [{model: {{a}} }, {model: {{b}}, parameters: {weight: 3} }]}
            parameters: {weight: 1}
            """);
        const string Text = "language_model.model.layers.1.mlp.up_proj.weight", Vision = "vision_tower.vision_model.encoder.layers.1.mlp.fc1.weight",
            Join = "multi_modal_projector.mm_input_projection_weight";
        Near(Of(a, Text), Merged(Text));
        Near(Mean(Of(a, Join), Of(b, Join), 0.5f), Merged(Join));
        Near(Mean(Of(a, Vision), Of(b, Vision), 0.75f), Merged(Vision));
    }

    [Fact]
    public void AModuleThatIsNotListedIsLeftOutAndNamed()
    {
        string a = SmallModels.Gemma3(_folder["a"], 1);
        var result = Run($"merge_method: passthrough\nmodules: {{text_decoder: {{models: [{{model: {a}}}]}}}}\n");
        Assert.All(result.Plan.Tensors, tensor => Assert.StartsWith("language_model.", tensor.Name));
        Assert.Contains(result.Plan.Notes, note => note.Contains("'vision_tower' is not listed: its 35 tensors are left out"));
        Assert.Contains(result.Plan.Notes, note => note.Contains("'multi_modal_projector' is not listed: its 2 tensors are left out"));
    }

    [Fact]
    public void SlicesOfSeveralModulesAreRefused()
    {
        string a = SmallModels.Gemma3(_folder["a"], 1);
        var e = Assert.Throws<ConfigurationException>(() => Run($"merge_method: passthrough\nslices: [{{sources: [{{model: {a}, layer_range: [0, 1]}}]}}]\n"));
        Assert.Contains("several modules ('text_decoder', 'multi_modal_projector', 'vision_tower')", e.Message);
        Assert.Contains("merge.yaml:2", e.Message);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Fact]
    public void AModuleThatTheModelsDoNotHaveIsAnErrorWithTheNearestName()
    {
        string a = SmallModels.Gemma3(_folder["a"], 1), plain = TinyModel.Write(_folder["plain"], 1);
        var e = Assert.Throws<ConfigurationException>(() => Run($"merge_method: passthrough\nmodules: {{text_decodr: {{models: [{{model: {a}}}]}}}}\n"));
        Assert.Contains("none named 'text_decodr'; did you mean 'text_decoder'?", e.Message);
        e = Assert.Throws<ConfigurationException>(() => Run($"merge_method: passthrough\nmodules: {{text_decoder: {{models: [{{model: {plain}}}]}}}}\n"));
        Assert.Contains("one module, 'default', and none named 'text_decoder'", e.Message);
    }

    [Fact]
    public void ALayerRangeIsThatOfTheModule()
    {
        string a = SmallModels.Gemma3(_folder["a"], 1);
        var e = Assert.Throws<ConfigurationException>(() => Run(
            $"merge_method: passthrough\nmodules: {{vision_tower: {{slices: [{{sources: [{{model: {a}, layer_range: [0, 3]}}]}}]}}}}\n"));
        Assert.Contains("goes beyond the 2 layers of", e.Message);
        Assert.Contains("in module 'vision_tower'", e.Message);
    }

    /// <summary>LLaVA as a class that the table does not have: two places of layers, and what joins them.</summary>
    [Fact]
    public void UnknownModelsOfSeveralPlacesMergeByInference()
    {
        string[] names =
        [
            .. Enumerable.Range(0, 3).Select(layer => $"language_model.model.layers.{layer}.mlp.up_proj.weight"),
            .. Enumerable.Range(0, 2).Select(layer => $"vision_tower.encoder.layers.{layer}.mlp.fc1.weight"),
            "language_model.model.embed_tokens.weight", "language_model.model.norm.weight", "multi_modal_projector.linear_1.weight",
        ];
        var config = new JsonObject { ["architectures"] = new JsonArray("LlavaNeverForConditionalGeneration"), ["text_config"] = new JsonObject() };
        string a = SmallModels.Write(_folder["a"], 1, config, names), b = SmallModels.Write(_folder["b"], 2, config, names);
        var result = Run($$"""
            merge_method: linear
            models: [{model: {{a}}, parameters: {weight: [1, 0]} }, {model: {{b}}, parameters: {weight: [0, 1]} }]
            """);
        Assert.Equal(names.Length, result.Plan.Tensors.Length);
        Near(Mean(Of(a, names[1]), Of(b, names[1]), 0.5f), Merged(names[1]));
        Near(Of(b, names[4]), Merged(names[4]));
        Near(Of(a, names[7]), Merged(names[7]));
        Assert.Contains(result.Plan.Notes, note => note.Contains("not in Recall's table")
            && note.Contains("language_model.model.layers.* (3), vision_tower.encoder.layers.* (2)"));
        Directory.Delete(_folder["out"], recursive: true);
        // The place's name stands for the module.
        result = Run($$"""
            merge_method: passthrough
            modules:
              language_model.model.layers: {slices: [{sources: [{model: {{a}}, layer_range: [1, 3]}]}]}
              vision_tower.encoder.layers: {models: [{model: {{b}} }]}
              default: {models: [{model: {{b}} }]}
            """);
        Assert.Equal(names.Length - 1, result.Plan.Tensors.Length);
        Near(Of(a, names[2]), Merged(names[1]));
        Assert.Contains(result.Plan.Notes, note => note.Contains("no key of the donor holds the number of layers; set it to 2 by hand"));
    }

    [Fact]
    public void EncoderAndDecoderTakeLayersByThemselves()
    {
        string t5 = Path.Combine(Fixtures.Shared("golden", "architectures"), "t5");
        Run($$"""
            merge_method: passthrough
            modules:
              decoder: {slices: [{sources: [{model: {{t5}}, layer_range: [0, 2]}]}, {sources: [{model: {{t5}}, layer_range: [1, 2]}]}]}
              encoder: {slices: [{sources: [{model: {{t5}}, layer_range: [0, 1]}]}]}
              shared: {models: [{model: {{t5}} }]}
            """);
        var config = Checkpoint.ReadConfig(_folder["out", "config.json"]);
        Assert.Equal((3, 1), ((int)config["num_decoder_layers"]!, (int)config["num_layers"]!));
        Near(Of(t5, "decoder.block.1.layer.1.EncDecAttention.q.weight"), Merged("decoder.block.2.layer.1.EncDecAttention.q.weight"));
        Near(Of(t5, "encoder.final_layer_norm.weight"), Merged("encoder.final_layer_norm.weight"));
        Assert.Null(Checkpoint.Open(_folder["out"]).Find("encoder.block.1.layer.0.layer_norm.weight"));
    }

    /// <summary>The names of published Qwen2-VL files and those that transformers has had for them since 4.52.</summary>
    [Fact]
    public void ModulesOfTwoLayoutsMix()
    {
        string[] text =
        [
            "input_layernorm.weight", "post_attention_layernorm.weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight",
            "self_attn.o_proj.weight", "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias", "mlp.gate_proj.weight",
            "mlp.up_proj.weight", "mlp.down_proj.weight",
        ];
        string[] vision = [.. new[] { "norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2" }.SelectMany(part => new[] { part + ".weight", part + ".bias" })];
        string[] Names(string model, string visual) =>
        [
            model + "embed_tokens.weight", .. text.Select(part => $"{model}layers.0.{part}"), model + "norm.weight", "lm_head.weight",
            visual + "patch_embed.proj.weight", .. vision.Select(part => $"{visual}blocks.0.{part}"), visual + "merger.mlp.0.weight", visual + "merger.mlp.2.weight",
        ];
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("Qwen2VLForConditionalGeneration"), ["num_hidden_layers"] = 1, ["vision_config"] = new JsonObject { ["depth"] = 1 },
        };
        string[] inner = Names("model.language_model.", "model.visual."), published = Names("model.", "visual.");
        string a = SmallModels.Write(_folder["a"], 1, config, inner), b = SmallModels.Write(_folder["b"], 2, config, published);
        var result = Run($"merge_method: linear\nparameters: {{weight: 1}}\nmodels: [{{model: {a}}}, {{model: {b}}}]\n");
        Assert.Equal(inner.Order(StringComparer.Ordinal), result.Plan.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        for (int i = 0; i < inner.Length; i++) Near(Mean(Of(a, inner[i]), Of(b, published[i]), 0.5f), Merged(inner[i]));
        Assert.DoesNotContain(result.Plan.Notes, note => note.Contains("no rule") || note.Contains("left out"));
    }

    /// <summary>
    /// The merger of Qwen-VL is the module multi_modal_projector. In Qwen2-VL it has no layers: gradients give it their first value; in Qwen3-VL its layers
    /// are the deepstack mergers, over which gradients run by themselves.
    /// </summary>
    [Theory]
    [InlineData("Qwen2VLForConditionalGeneration", "model.", "visual.", 0)]
    [InlineData("Qwen3VLForConditionalGeneration", "model.language_model.", "model.visual.", 3)]
    public void TheMergerIsTheProjector(string className, string model, string visual, int mergers)
    {
        var family = ArchitectureTable.Find(new JsonObject { ["architectures"] = new JsonArray(className) })!;
        IEnumerable<string> Layers(string module, int count) => Enumerable.Range(0, count).SelectMany(layer =>
            family.Modules.Single(each => each.Name == module) switch { var place => place.LayerTensors.Select(part => $"{place.LayerPrefix}{layer}.{part}") });
        string[] names =
        [
            model + "embed_tokens.weight", .. Layers("text_decoder", 3), model + "norm.weight", "lm_head.weight", visual + "patch_embed.proj.weight",
            .. Layers("vision_tower", 2), visual + "merger.norm.weight", .. Layers("multi_modal_projector", mergers),
        ];
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray(className), ["num_hidden_layers"] = 3,
            ["text_config"] = new JsonObject { ["num_hidden_layers"] = 3 }, ["vision_config"] = new JsonObject { ["depth"] = 2 },
        };
        string a = SmallModels.Write(_folder["a"], 1, config, names), b = SmallModels.Write(_folder["b"], 2, config, names);
        Run($"merge_method: slerp\nbase_model: {a}\nmodels: [{{model: {a}}}, {{model: {b}}}]\nparameters: {{t: [0, 1]}}\n");
        Assert.Equal(Of(a, visual + "merger.norm.weight"), Merged(visual + "merger.norm.weight"));
        Assert.Equal(Of(a, visual + "blocks.0.norm1.weight"), Merged(visual + "blocks.0.norm1.weight"));
        Assert.Equal(Of(b, visual + "blocks.1.norm1.weight"), Merged(visual + "blocks.1.norm1.weight"));
        if (mergers > 0)
        {
            Assert.Equal(Of(a, visual + "deepstack_merger_list.0.norm.weight"), Merged(visual + "deepstack_merger_list.0.norm.weight"));
            Assert.Equal(Of(b, visual + "deepstack_merger_list.2.norm.weight"), Merged(visual + "deepstack_merger_list.2.norm.weight"));
        }
        string each = $"models: [{{model: {a}}}, {{model: {b}}}]";
        string own = $"merge_method: linear\nparameters: {{weight: 1}}\nmodules:\n  text_decoder: {{{each}}}\n  vision_tower: {{{each}}}\n";
        Run($"{own}  multi_modal_projector: {{models: [{{model: {b}}}]}}\n", "own");
        Assert.Equal(Of(b, visual + "merger.norm.weight"), Of(_folder["own"], visual + "merger.norm.weight"));
        var without = Run(own, "without");
        Assert.Contains(without.Plan.Notes, note => note.Contains("multi_modal_projector"));
        Assert.DoesNotContain(without.Plan.Tensors, tensor => tensor.Name.Contains("merger"));
    }
}
