using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Benchmarks;

/// <summary>The sizes of a Llama-shaped model.</summary>
sealed record ModelShape(string Name, int Hidden, int Layers, int Heads, int KeyValueHeads, int Intermediate, int Vocabulary, bool Tied)
{
    /// <summary>Sizes of published models: SmolLM2-135M, Qwen2.5-0.5B, Llama-3.2-1B, Llama-2-7B, Llama-3.1-8B.</summary>
    static readonly ModelShape[] Known =
    [
        new("tiny", 64, 2, 4, 2, 128, 256, Tied: true),
        new("135m", 576, 30, 9, 3, 1536, 49152, Tied: true),
        new("0.5b", 896, 24, 14, 2, 4864, 151936, Tied: true),
        new("1b", 2048, 16, 32, 8, 8192, 128256, Tied: true),
        new("7b", 4096, 32, 32, 32, 11008, 32000, Tied: false),
        new("8b", 4096, 32, 32, 8, 14336, 128256, Tied: false),
    ];

    public static ModelShape Find(string name) => Known.FirstOrDefault(shape => shape.Name == name)
        ?? throw new ConfigurationException($"unknown shape '{name}'; known: {string.Join(", ", Known.Select(shape => shape.Name))}");

    /// <summary>Names and shapes as transformers has them, in the order of the layers.</summary>
    public IEnumerable<(string Name, Shape Shape)> Tensors()
    {
        int head = Hidden / Heads;
        yield return ("model.embed_tokens.weight", new Shape(Vocabulary, Hidden));
        for (int layer = 0; layer < Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            yield return (at + "input_layernorm.weight", new Shape(Hidden));
            yield return (at + "self_attn.q_proj.weight", new Shape(Heads * head, Hidden));
            yield return (at + "self_attn.k_proj.weight", new Shape(KeyValueHeads * head, Hidden));
            yield return (at + "self_attn.v_proj.weight", new Shape(KeyValueHeads * head, Hidden));
            yield return (at + "self_attn.o_proj.weight", new Shape(Hidden, Heads * head));
            yield return (at + "post_attention_layernorm.weight", new Shape(Hidden));
            yield return (at + "mlp.gate_proj.weight", new Shape(Intermediate, Hidden));
            yield return (at + "mlp.up_proj.weight", new Shape(Intermediate, Hidden));
            yield return (at + "mlp.down_proj.weight", new Shape(Hidden, Intermediate));
        }
        yield return ("model.norm.weight", new Shape(Hidden));
        if (!Tied) yield return ("lm_head.weight", new Shape(Vocabulary, Hidden));
    }

    public JsonObject Config(DType type) => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["model_type"] = "llama",
        ["hidden_size"] = Hidden,
        ["num_hidden_layers"] = Layers,
        ["num_attention_heads"] = Heads,
        ["num_key_value_heads"] = KeyValueHeads,
        ["intermediate_size"] = Intermediate,
        ["vocab_size"] = Vocabulary,
        ["tie_word_embeddings"] = Tied,
        ["hidden_act"] = "silu",
        ["rms_norm_eps"] = 1e-5,
        ["rope_theta"] = 10000.0,
        ["max_position_embeddings"] = 2048,
        ["torch_dtype"] = type.TorchName(),
    };
}
