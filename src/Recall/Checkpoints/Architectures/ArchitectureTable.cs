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
        new("llama", "LlamaForCausalLM", "LLaMaForCausalLM") { LayerTensors = LlamaLayer },
        new("mistral", "MistralForCausalLM") { LayerTensors = LlamaLayer },
        new("qwen2", "Qwen2ForCausalLM") { LayerTensors = [.. LlamaLayer, "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"] },
        new("qwen3", "Qwen3ForCausalLM") { LayerTensors = [.. LlamaLayer, "self_attn.q_norm.weight", "self_attn.k_norm.weight"] },
    ];

    /// <summary>The family of a config.json, by its class name, or null.</summary>
    public static Architecture? Find(JsonObject config)
    {
        string? className = config["architectures"] is JsonArray and [JsonValue first] && first.TryGetValue(out string? name) ? name : null;
        return Families.FirstOrDefault(family => family.ClassNames.Contains(className ?? ""));
    }
}
