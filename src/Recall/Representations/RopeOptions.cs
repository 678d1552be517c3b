using System.Text.Json.Nodes;

namespace Recall.Representations;

/// <summary>
/// How the frequencies of rotary positions (arXiv 2104.09864) are stretched to longer texts; names as in transformers'
/// <c>rope_type</c>.
/// </summary>
public enum RopeKind
{
    /// <summary>Not at all.</summary>
    Default,
    /// <summary>All divided by the factor.</summary>
    Linear,
    /// <summary>A base that grows with the length of the text beyond that of training (NTK).</summary>
    Dynamic,
    /// <summary>Llama 3.1: low frequencies divided by the factor, high ones kept, a ramp between.</summary>
    Llama3,
    /// <summary>YaRN (arXiv 2309.00071): a ramp between kept and divided frequencies, and scaled attention.</summary>
    Yarn,
}

/// <summary>
/// Rotary positions, as config.json gives them in <c>rope_parameters</c> (transformers 5) or <c>rope_theta</c> and
/// <c>rope_scaling</c>.
/// </summary>
public sealed record RopeOptions
{
    /// <summary>The base θ; default 10000.</summary>
    public double Theta { get; init; } = 10000;

    /// <summary>The kind of scaling.</summary>
    public RopeKind Kind { get; init; }

    /// <summary>The factor of the scaling.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Positions in training, before the scaling.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>Llama3: wavelengths above original positions / this are divided by the factor.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>Llama3: wavelengths below original positions / this are kept.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>YaRN: rotations over the original positions above which a frequency is kept.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>YaRN: rotations below which it is divided.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN: whether the ends of the ramp are whole numbers.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>What cosines and sines are multiplied by; 1 except with YaRN.</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>Queries at position p are multiplied by 1 + this · log(1 + ⌊p / original positions⌋); 0 except in Ministral 3.</summary>
    public double QueryScalingBeta { get; init; }

    /// <summary>
    /// Angle per position of each pair of a head's values, for a text of so many tokens: <paramref name="headDim"/> / 2 numbers.
    /// </summary>
    public double[] Frequencies(int headDim, long length)
    {
        double theta = Theta;
        if (Kind == RopeKind.Dynamic && length > OriginalMaxPositions)
            theta *= Math.Pow(Factor * length / OriginalMaxPositions - (Factor - 1), headDim / (headDim - 2.0));
        var frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = Scaled(Math.Pow(theta, -2.0 * i / headDim), i, headDim);
        return frequencies;
    }

    double Scaled(double frequency, int i, int headDim)
    {
        switch (Kind)
        {
            case RopeKind.Linear:
                return frequency / Factor;
            case RopeKind.Llama3:
                double rotations = OriginalMaxPositions * frequency / (2 * Math.PI);
                double kept = Math.Clamp((rotations - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor), 0, 1);
                return kept * frequency + (1 - kept) * frequency / Factor;
            case RopeKind.Yarn:
                double low = Math.Max(PairWithRotations(BetaFast, Math.Floor, headDim), 0);
                double high = Math.Min(PairWithRotations(BetaSlow, Math.Ceiling, headDim), headDim - 1);
                double divided = Math.Clamp((i - low) / (high == low ? 0.001 : high - low), 0, 1);
                return (1 - divided) * frequency + divided * frequency / Factor;
            default:
                return frequency;
        }
    }

    double PairWithRotations(double rotations, Func<double, double> round, int headDim)
    {
        double pair = headDim * Math.Log(OriginalMaxPositions / (rotations * 2 * Math.PI)) / (2 * Math.Log(Theta));
        return Truncate ? round(pair) : pair;
    }

    internal static RopeOptions Read(ModelConfig config, int maxPositions)
    {
        var rope = config.Section("rope_parameters") ?? config.Section("rope_scaling") ?? new ModelConfig([], config.Where);
        const int most = int.MaxValue;
        string? nested = rope.Values.FirstOrDefault(entry => entry.Value is JsonObject).Key;
        if (nested is not null)
            throw rope.Error(nested, "sets rotary positions for one kind of layers; Recall computes models that have the same in all");
        foreach (var part in new[] { rope, config })
            if (part.Number("partial_rotary_factor", 0, 1) != 1)
                throw part.Error("partial_rotary_factor", "is not 1; Recall rotates whole heads");
        string name = rope.Text("rope_type") ?? rope.Text("type") ?? "default";
        var kind = name switch
        {
            "default" => RopeKind.Default,
            "linear" => RopeKind.Linear,
            "dynamic" => RopeKind.Dynamic,
            "llama3" => RopeKind.Llama3,
            "yarn" => RopeKind.Yarn,
            _ => throw rope.Error("rope_type", $"is {Quoted.Of(name)}; Recall computes default, linear, dynamic, llama3 and yarn"),
        };
        double theta = rope.Has("rope_theta") ? rope.Number("rope_theta", 1) : config.Number("rope_theta", 1, 10000);
        var options = new RopeOptions { Theta = theta, Kind = kind, OriginalMaxPositions = maxPositions };
        if (kind == RopeKind.Default) return options;
        options = options with
        {
            // The frequencies of 'dynamic' depend on the length beyond max_position_embeddings, also where an original length is given.
            OriginalMaxPositions = kind == RopeKind.Dynamic
                ? maxPositions
                : rope.Integer("original_max_position_embeddings", 1, most, maxPositions),
        };
        options = options with
        {
            Factor = rope.Number("factor", 0, kind == RopeKind.Yarn ? (double)maxPositions / options.OriginalMaxPositions : null),
            LowFrequencyFactor = rope.Number("low_freq_factor", 0, kind == RopeKind.Llama3 ? null : 1),
            HighFrequencyFactor = rope.Number("high_freq_factor", 0, kind == RopeKind.Llama3 ? null : 4),
            BetaFast = rope.Number("beta_fast", 0, 32),
            BetaSlow = rope.Number("beta_slow", 0, 1),
            Truncate = rope.Flag("truncate", true),
            QueryScalingBeta = rope.Number("llama_4_scaling_beta", double.NegativeInfinity, 0),
        };
        if (options.HighFrequencyFactor <= options.LowFrequencyFactor) throw rope.Error("high_freq_factor", "must be above low_freq_factor");
        return kind == RopeKind.Yarn ? options with { AttentionFactor = ReadAttentionFactor(rope, options.Factor) } : options;
    }

    static double ReadAttentionFactor(ModelConfig rope, double factor)
    {
        if (rope.Has("attention_factor")) return rope.Number("attention_factor", 0);
        double mscale = rope.Number("mscale", double.NegativeInfinity, 0), all = rope.Number("mscale_all_dim", double.NegativeInfinity, 0);
        return mscale != 0 && all != 0 ? Mscale(mscale) / Mscale(all) : Mscale(1);

        double Mscale(double scale) => factor <= 1 ? 1 : 0.1 * scale * Math.Log(factor) + 1;
    }
}
