using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>The factors of one module, to be written: its weight is to get (B·A)·alpha / rank, or alpha / √rank with rsLoRA.</summary>
/// <param name="Module">The module: <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Outputs">Rows of B.</param>
/// <param name="Inputs">Columns of A.</param>
/// <param name="Rank">Rows of A, columns of B.</param>
/// <param name="A">[rank, inputs], row-major.</param>
/// <param name="B">[outputs, rank], row-major.</param>
/// <param name="Alpha">Alpha.</param>
public sealed record LoraFactors(
    string Module, int Outputs, int Inputs, int Rank, ReadOnlyMemory<float> A, ReadOnlyMemory<float> B, double Alpha);

/// <summary>How an adapter is written.</summary>
public sealed record LoraWriteOptions
{
    /// <summary>What to write as base_model_name_or_path: the base as its owner names it, or its path.</summary>
    public required string BaseModel { get; init; }

    /// <summary>The scale is alpha / √rank.</summary>
    public bool UseRslora { get; init; }

    /// <summary>The names of modules (or ends of names) to write as target_modules; the full name of every module by default.</summary>
    public IReadOnlyList<string>? TargetModules { get; init; }

    /// <summary>Dropout during training, noted for whoever trains on; 0 by default.</summary>
    public double Dropout { get; init; }

    /// <summary>The type of the factors; float32 by default.</summary>
    public DType Type { get; init; } = DType.F32;
}

/// <summary>Writes an adapter as PEFT saves it: adapter_model.safetensors and adapter_config.json.</summary>
public static class LoraAdapterWriter
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Writes the folder, which is made if it is not there. The config comes last, so that half an adapter is never taken for a whole one.
    /// Modules whose rank or alpha is not the most frequent one are named in rank_pattern and alpha_pattern.
    /// </summary>
    /// <exception cref="RecallException">The disk refuses, there are no factors, or two are for one module.</exception>
    public static void Write(string folder, IReadOnlyList<LoraFactors> factors, LoraWriteOptions options)
    {
        if (factors.Count == 0) throw new RecallException($"{folder}: an adapter without factors is not written");
        var twice = factors.GroupBy(factor => factor.Module, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null) throw new RecallException($"{folder}: there are two pairs of factors for module {Quoted.Of(twice.Key)}");
        string config = Path.Combine(folder, "adapter_config.json");
        try
        {
            Directory.CreateDirectory(folder);
            File.Delete(config);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{folder}: the adapter cannot be written: {e.Message}", e);
        }
        SafetensorsWriter.Write(Path.Combine(folder, "adapter_model.safetensors"),
            factors.OrderBy(factor => factor.Module, StringComparer.Ordinal).SelectMany(factor => Tensors(factor, options.Type)));
        WholeFile.Write(config, stream => JsonSerializer.Serialize(stream, Config(factors, options), Indented));
    }

    static IEnumerable<TensorBytes> Tensors(LoraFactors factors, DType type)
    {
        string name = $"base_model.model.{factors.Module}";
        yield return TensorBytes.Of($"{name}.lora_A.weight", new Shape(factors.Rank, factors.Inputs), factors.A.Span, type);
        yield return TensorBytes.Of($"{name}.lora_B.weight", new Shape(factors.Outputs, factors.Rank), factors.B.Span, type);
    }

    /// <summary>The config, with its keys in the order of PEFT (alphabetical).</summary>
    static JsonObject Config(IReadOnlyList<LoraFactors> factors, LoraWriteOptions options)
    {
        int rank = MostFrequent(factors, factor => factor.Rank);
        double alpha = MostFrequent(factors, factor => factor.Alpha);
        var targets = options.TargetModules ?? [.. factors.Select(factor => factor.Module).Order(StringComparer.Ordinal)];
        return new JsonObject
        {
            ["alpha_pattern"] = Pattern(factors, factor => factor.Alpha, alpha),
            ["base_model_name_or_path"] = options.BaseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["lora_alpha"] = alpha,
            ["lora_dropout"] = options.Dropout,
            ["modules_to_save"] = null,
            ["peft_type"] = "LORA",
            ["r"] = rank,
            ["rank_pattern"] = Pattern(factors, factor => factor.Rank, rank),
            ["target_modules"] = new JsonArray([.. targets.Select(target => (JsonNode)target)]),
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = false,
            ["use_rslora"] = options.UseRslora,
        };
    }

    /// <summary>
    /// The modules that differ from the usual value. A name also fits every longer name that ends with it, and the first that fits counts:
    /// longer names come first, and a usual module whose name ends with that of an unusual one is named too.
    /// </summary>
    static JsonObject Pattern<T>(IReadOnlyList<LoraFactors> factors, Func<LoraFactors, T> value, T usual) where T : notnull
    {
        var unusual = factors.Where(factor => !value(factor).Equals(usual))
            .Select(factor => factor.Module).ToHashSet(StringComparer.Ordinal);
        var named = factors.Where(factor => unusual.Contains(factor.Module) || Ends(factor.Module).Any(unusual.Contains))
            .OrderByDescending(factor => factor.Module.Length).ThenBy(factor => factor.Module, StringComparer.Ordinal);
        return new JsonObject(named
            .Select(factor => KeyValuePair.Create(factor.Module, (JsonNode?)JsonValue.Create(value(factor)))));
    }

    static IEnumerable<string> Ends(string module)
    {
        for (int dot = module.IndexOf('.'); dot >= 0; dot = module.IndexOf('.', dot + 1)) yield return module[(dot + 1)..];
    }

    static T MostFrequent<T>(IReadOnlyList<LoraFactors> factors, Func<LoraFactors, T> value) =>
        factors.GroupBy(value).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).First().Key;
}
