using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Gguf;

/// <summary>
/// The tensor <c>rope_freqs.weight</c>: by what each rotary frequency is divided. It is no weight; the converter of llama.cpp computes it from the
/// rope scaling of Llama 3.1 and leaves that out of the metadata, so it is found again here.
/// </summary>
sealed record RotaryFactors(IReadOnlyList<float> Values)
{
    const int MostFactors = 4096;
    const double LowFactor = 1, HighFactor = 4, OriginalContext = 8192, Tolerance = 1e-3;

    /// <summary>The factors of a file, or null where it has none.</summary>
    public static RotaryFactors? Find(GgufFile file)
    {
        var tensor = file.Tensors.FirstOrDefault(tensor => tensor.Name == "rope_freqs.weight");
        if (tensor is null || tensor.Shape.Elements > MostFactors) return null;
        var values = new float[tensor.Shape.Elements];
        tensor.Read(new TileReader(), 0, values);
        return new RotaryFactors(values);
    }

    /// <summary>The <c>rope_scaling</c> of type llama3 that gives these factors, or null where none does.</summary>
    /// <param name="headSize">Rotated dimensions of a head: twice the factors.</param>
    /// <param name="theta">The base of the frequencies.</param>
    public JsonObject? Scaling(long headSize, double theta)
    {
        double factor = Values.Count > 0 ? Values[^1] : 1;
        if (Values.Count * 2 != headSize || !(factor > 1)) return null;
        for (int i = 0; i < Values.Count; i++)
            if (!(Math.Abs(Values[i] / Factor(2 * Math.PI * Math.Pow(theta, 2.0 * i / headSize), factor) - 1) <= Tolerance)) return null;
        return new JsonObject
        {
            ["rope_type"] = "llama3", ["factor"] = factor, ["low_freq_factor"] = LowFactor, ["high_freq_factor"] = HighFactor,
            ["original_max_position_embeddings"] = (long)OriginalContext,
        };
    }

    // transformers, _compute_llama3_parameters: short waves stay, long ones are stretched, those between are blended.
    static double Factor(double wavelength, double factor)
    {
        if (wavelength < OriginalContext / HighFactor) return 1;
        if (wavelength > OriginalContext / LowFactor) return factor;
        double smooth = (OriginalContext / wavelength - LowFactor) / (HighFactor - LowFactor);
        return 1 / ((1 - smooth) / factor + smooth);
    }
}
