using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Architectures;

/// <summary>The families that Recall knows by name. A new family is one entry here.</summary>
public static class ArchitectureTable
{
    static readonly Architecture[] Families =
    [
        new("llama", "LlamaForCausalLM", "LLaMaForCausalLM"),
        new("mistral", "MistralForCausalLM"),
        new("qwen2", "Qwen2ForCausalLM"),
        new("qwen3", "Qwen3ForCausalLM"),
    ];

    /// <summary>The family of a config.json, by its class name, or null.</summary>
    public static Architecture? Find(JsonObject config)
    {
        string? className = (config["architectures"] as JsonArray) is [JsonValue first] ? (string?)first : null;
        return Families.FirstOrDefault(family => family.ClassNames.Contains(className ?? ""));
    }
}
