using System.Text.Json.Nodes;
using Recall.Checkpoints;

namespace Recall.Cli.Commands;

/// <summary>A PEFT adapter.</summary>
sealed record AdapterSummary
{
    public required string Folder { get; init; }
    public string? PeftType { get; init; }
    public string? BaseModel { get; init; }
    public long? Rank { get; init; }
    public double? Alpha { get; init; }
    public bool RankStabilized { get; init; }
    public bool Dora { get; init; }
    public required IReadOnlyList<string> TargetModules { get; init; }
    public required IReadOnlyList<string> ModulesToSave { get; init; }
    public int Tensors { get; init; }
    public long Parameters { get; init; }
    public long Bytes { get; init; }

    /// <summary>True for a folder that holds an adapter and no model.</summary>
    public static bool IsAdapter(string folder) =>
        File.Exists(Path.Combine(folder, "adapter_config.json")) && !File.Exists(Path.Combine(folder, "config.json"));

    public static AdapterSummary Of(string folder)
    {
        var config = Checkpoint.ReadConfig(Path.Combine(folder, "adapter_config.json"));
        string weights = Path.Combine(folder, "adapter_model.safetensors");
        if (!File.Exists(weights)) throw new RecallException($"{folder}: holds no adapter_model.safetensors");
        var tensors = Checkpoint.Open(weights).Tensors;
        return new AdapterSummary
        {
            Folder = folder,
            PeftType = Value<string>(config["peft_type"]),
            BaseModel = Value<string>(config["base_model_name_or_path"]),
            Rank = (long?)Value<double?>(config["r"]),
            Alpha = Value<double?>(config["lora_alpha"]),
            RankStabilized = Value<bool>(config["use_rslora"]),
            Dora = Value<bool>(config["use_dora"]),
            TargetModules = Names(config["target_modules"]),
            ModulesToSave = Names(config["modules_to_save"]),
            Tensors = tensors.Count,
            Parameters = tensors.Sum(tensor => tensor.Shape.Elements),
            Bytes = tensors.Sum(tensor => tensor.Stored.Sum(stored => stored.Length)),
        };
    }

    static T? Value<T>(JsonNode? node) => node is JsonValue value && value.TryGetValue(out T? content) ? content : default;

    /// <summary>One name, or a list of them.</summary>
    static IReadOnlyList<string> Names(JsonNode? node) => node is JsonArray list
        ? [.. list.Select(Value<string>).OfType<string>().Order(StringComparer.Ordinal)]
        : Value<string>(node) is { } one ? [one] : [];
}
