using System.Text.Json;
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

    /// <summary>Noted for the reader: weights are stored [in, out], as in GPT-2. The factors are the same.</summary>
    public bool FanInFanOut { get; init; }

    /// <summary>The type of the factors; float32 by default.</summary>
    public DType Type { get; init; } = DType.F32;
}

/// <summary>Writes an adapter as PEFT saves it: adapter_model.safetensors and adapter_config.json.</summary>
public static class LoraAdapterWriter
{
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
        var modules = factors.Select(factor => new WrittenModule(factor.Module, factor.Rank, factor.Alpha)).ToList();
        WholeFile.Write(config, stream => JsonSerializer.Serialize(stream, LoraConfigWriter.Make(modules, options), LoraConfigWriter.Indented));
    }

    static IEnumerable<TensorBytes> Tensors(LoraFactors factors, DType type)
    {
        string name = $"base_model.model.{factors.Module}";
        yield return TensorBytes.Of($"{name}.lora_A.weight", new Shape(factors.Rank, factors.Inputs), factors.A.Span, type);
        yield return TensorBytes.Of($"{name}.lora_B.weight", new Shape(factors.Outputs, factors.Rank), factors.B.Span, type);
    }
}
