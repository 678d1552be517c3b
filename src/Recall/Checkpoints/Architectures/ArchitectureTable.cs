using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Architectures;

/// <summary>The families that Recall knows by name. A new family is one entry here.</summary>
public static class ArchitectureTable
{
    static readonly Architecture[] Families =
    [
        new("llama", "LlamaForCausalLM", "LLaMaForCausalLM")
        {
            Block = new() { AttentionBias = AttentionBias.ByConfig, MlpBiasByConfig = true, DefaultMaxPositions = 2048 },
        },
        new("mistral", "MistralForCausalLM") { Block = new() { Window = WindowRule.EveryLayer, DefaultWindow = 4096, DefaultMaxPositions = 131072 } },
        new("ministral", "MinistralForCausalLM") { Block = new() { Window = WindowRule.ByLayerType, DefaultWindow = 4096 } },
        new("ministral3", "Ministral3ForCausalLM") { Block = new() { Window = WindowRule.EveryLayer, DefaultMaxPositions = 262144 } },
        new("qwen2", "Qwen2ForCausalLM")
        {
            Block = new() { AttentionBias = AttentionBias.QueryKeyValue, Window = WindowRule.FromLayer, DefaultWindow = 4096 },
        },
        new("qwen3", "Qwen3ForCausalLM")
        {
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
        string? className = (config["architectures"] as JsonArray) is [JsonValue first] && first.TryGetValue(out string? name) ? name : null;
        return Families.FirstOrDefault(family => family.ClassNames.Contains(className ?? ""));
    }
}
