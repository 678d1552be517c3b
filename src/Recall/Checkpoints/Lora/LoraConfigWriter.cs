using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Lora;

/// <summary>A module of which an adapter holds factors.</summary>
readonly record struct WrittenModule(string Module, int Rank, double Alpha);

/// <summary>What an adapter that was taken from a fine-tuned model holds beside factors.</summary>
/// <param name="Rank">r and alpha where no pattern names a module.</param>
/// <param name="SavedModules">Modules held whole: modules_to_save.</param>
/// <param name="LeftOut">Modules that target_modules would name and that have no factors: exclude_modules.</param>
/// <param name="Biases">Some factors have a bias: lora_bias.</param>
/// <param name="FanInFanOut">Weights are stored [in, out].</param>
sealed record WrittenExtras(int Rank, IReadOnlyList<string> SavedModules, IReadOnlyList<string> LeftOut, bool Biases, bool FanInFanOut);

/// <summary>Makes adapter_config.json.</summary>
static class LoraConfigWriter
{
    public static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The config, with its keys in the order of PEFT (alphabetical).</summary>
    public static JsonObject Make(IReadOnlyList<WrittenModule> modules, LoraWriteOptions options, WrittenExtras? extras = null)
    {
        int rank = extras?.Rank ?? MostFrequent(modules, module => module.Rank);
        double alpha = extras?.Rank ?? MostFrequent(modules, module => module.Alpha);
        var targets = options.TargetModules ?? [.. modules.Select(module => module.Module).Order(StringComparer.Ordinal)];
        var config = new JsonObject
        {
            ["alpha_pattern"] = Pattern(modules, module => module.Alpha, alpha),
            ["base_model_name_or_path"] = options.BaseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = extras?.FanInFanOut ?? options.FanInFanOut,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["lora_alpha"] = alpha,
            ["lora_dropout"] = options.Dropout,
            ["modules_to_save"] = extras?.SavedModules is { Count: > 0 } saved ? Names(saved) : null,
            ["peft_type"] = "LORA",
            ["r"] = rank,
            ["rank_pattern"] = Pattern(modules, module => module.Rank, rank),
            ["target_modules"] = Names(targets),
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = false,
            ["use_rslora"] = options.UseRslora,
        };
        if (extras is { LeftOut.Count: > 0 }) config["exclude_modules"] = Names(extras.LeftOut);
        if (extras is { Biases: true }) config["lora_bias"] = true;
        return config;
    }

    static JsonArray Names(IEnumerable<string> names) => new([.. names.Select(name => (JsonNode)name)]);

    /// <summary>
    /// The modules that differ from the usual value. A name also fits every longer name that ends with it, and the first that fits counts:
    /// longer names come first, and a usual module whose name ends with that of an unusual one is named too.
    /// </summary>
    static JsonObject Pattern<T>(IReadOnlyList<WrittenModule> modules, Func<WrittenModule, T> value, T usual) where T : notnull
    {
        var unusual = modules.Where(module => !value(module).Equals(usual))
            .Select(module => module.Module).ToHashSet(StringComparer.Ordinal);
        var named = modules.Where(module => unusual.Contains(module.Module) || Ends(module.Module).Any(unusual.Contains))
            .OrderByDescending(module => module.Module.Length).ThenBy(module => module.Module, StringComparer.Ordinal);
        return new JsonObject(named
            .Select(module => KeyValuePair.Create(module.Module, (JsonNode?)JsonValue.Create(value(module)))));
    }

    static IEnumerable<string> Ends(string module)
    {
        for (int dot = module.IndexOf('.'); dot >= 0; dot = module.IndexOf('.', dot + 1)) yield return module[(dot + 1)..];
    }

    static T MostFrequent<T>(IReadOnlyList<WrittenModule> modules, Func<WrittenModule, T> value) =>
        modules.GroupBy(value).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).First().Key;
}
