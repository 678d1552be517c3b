using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Tests.Merging;

/// <summary>Checkpoints of any family, every tensor [4, 4] or [4] with random values: enough to see what goes where.</summary>
static class SmallModels
{
    static readonly string[] Gemma =
    [
        "input_layernorm.weight", "post_attention_layernorm.weight", "pre_feedforward_layernorm.weight", "post_feedforward_layernorm.weight",
        "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight", "self_attn.q_norm.weight",
        "self_attn.k_norm.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight",
    ];

    static readonly string[] Clip = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"];

    public static string Write(string folder, int seed, JsonObject config, IEnumerable<string> names)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(seed);
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), names.Select(name =>
        {
            var shape = name.Contains("norm") || name.EndsWith(".bias") ? new Shape(4) : new Shape(4, 4);
            var values = new float[shape.Elements];
            for (int i = 0; i < values.Length; i++) values[i] = (float)(random.NextDouble() - 0.5);
            return TensorBytes.Of(name, shape, values, DType.F32);
        }));
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        return folder;
    }

    public static string Gpt2(string folder, int seed, string prefix)
    {
        string[] parts = ["ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"];
        var names = Enumerable.Range(0, 2).SelectMany(layer => parts.SelectMany(part => new[] { $"h.{layer}.{part}.weight", $"h.{layer}.{part}.bias" }))
            .Concat(["wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias"]);
        var config = new JsonObject { ["architectures"] = new JsonArray("GPT2LMHeadModel"), ["model_type"] = "gpt2", ["n_layer"] = 2 };
        return Write(folder, seed, config, names.Select(name => prefix + name));
    }

    /// <summary>Gemma 3 with eyes: three layers of text, two of the vision tower, a projector.</summary>
    public static string Gemma3(string folder, int seed)
    {
        var names = Enumerable.Range(0, 3).SelectMany(layer => Gemma.Select(part => $"language_model.model.layers.{layer}.{part}"))
            .Concat(Enumerable.Range(0, 2).SelectMany(layer => Clip.SelectMany(part =>
                new[] { $"vision_tower.vision_model.encoder.layers.{layer}.{part}.weight", $"vision_tower.vision_model.encoder.layers.{layer}.{part}.bias" })))
            .Concat(["language_model.model.embed_tokens.weight", "language_model.model.norm.weight", "multi_modal_projector.mm_input_projection_weight",
                "multi_modal_projector.mm_soft_emb_norm.weight", "vision_tower.vision_model.embeddings.patch_embedding.weight",
                "vision_tower.vision_model.post_layernorm.weight", "vision_tower.vision_model.post_layernorm.bias"]);
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("Gemma3ForConditionalGeneration"),
            ["model_type"] = "gemma3",
            ["text_config"] = new JsonObject { ["num_hidden_layers"] = 3, ["layer_types"] = new JsonArray("a", "b", "c"), ["torch_dtype"] = "float32" },
            ["vision_config"] = new JsonObject { ["num_hidden_layers"] = 2 },
        };
        Write(folder, seed, config, names);
        File.WriteAllText(Path.Combine(folder, "preprocessor_config.json"), $"{{\"seed\": {seed}}}");
        return folder;
    }
}
