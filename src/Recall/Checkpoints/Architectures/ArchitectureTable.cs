using System.Collections.Immutable;
using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Architectures;

/// <summary>The families that Recall knows by name. A new family is one entry here.</summary>
public static class ArchitectureTable
{
    static readonly ImmutableArray<string> LlamaLayer =
    [
        "input_layernorm.weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight",
        "post_attention_layernorm.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight",
    ];

    static readonly Architecture[] Families =
    [
        new("llama", "LlamaForCausalLM", "LLaMaForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = new() { AttentionBias = AttentionBias.ByConfig, MlpBiasByConfig = true, DefaultMaxPositions = 2048 },
        },
        new("mistral", "MistralForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = new() { Window = WindowRule.EveryLayer, DefaultWindow = 4096, DefaultMaxPositions = 131072 },
        },
        new("ministral", "MinistralForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = new() { Window = WindowRule.ByLayerType, DefaultWindow = 4096 },
        },
        new("ministral3", "Ministral3ForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = new() { Window = WindowRule.EveryLayer, DefaultMaxPositions = 262144 },
        },
        new("qwen2", "Qwen2ForCausalLM")
        {
            LayerTensors = [.. LlamaLayer, "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"],
            Block = new() { AttentionBias = AttentionBias.QueryKeyValue, Window = WindowRule.FromLayer, DefaultWindow = 4096 },
        },
        new("qwen3", "Qwen3ForCausalLM")
        {
            LayerTensors = [.. LlamaLayer, "self_attn.q_norm.weight", "self_attn.k_norm.weight"],
            Block = new()
            {
                AttentionBias = AttentionBias.ByConfig, QueryKeyNorm = true, Window = WindowRule.FromLayer, DefaultWindow = 4096, DefaultHeadDim = 128,
            },
        },
    ];

    /// <summary>The families for which there is a forward pass.</summary>
    public static IEnumerable<Architecture> WithBlocks => Families.Where(family => family.Block is not null);

    /// <summary>The family of a config.json, by its class name, or null.</summary>
    public static Architecture? Find(JsonObject config)
    {
        string? className = config["architectures"] is JsonArray and [JsonValue first] && first.TryGetValue(out string? name) ? name : null;
        return Families.FirstOrDefault(family => family.ClassNames.Contains(className ?? ""));
    }
}
