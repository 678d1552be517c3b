using System.Collections.Immutable;

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
    /// <summary>LongRoPE (arXiv 2402.13753): each frequency divided by a factor of its own, of two sets by the length of the text.</summary>
    LongRope,
}

/// <summary>
/// Rotary positions, as config.json gives them in <c>rope_parameters</c> (transformers 5) or <c>rope_theta</c> and
/// <c>rope_scaling</c>.
/// </summary>
public sealed record RopeOptions
{
    /// <summary>Values of a head that turn, the first ones; even.</summary>
    public int Dim { get; init; }

    /// <summary>Value 2i turns with value 2i + 1; false: i with i + half.</summary>
    public bool Interleaved { get; init; }

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

    /// <summary>What cosines and sines are multiplied by; 1 except with YaRN and LongRoPE.</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>LongRoPE: divisors of the frequencies for texts within the original positions.</summary>
    public ImmutableArray<double> ShortFactors { get; init; } = [];

    /// <summary>LongRoPE: those for longer texts.</summary>
    public ImmutableArray<double> LongFactors { get; init; } = [];

    /// <summary>Queries at position p are multiplied by 1 + this · log(1 + ⌊p / original positions⌋); 0 except in Ministral 3.</summary>
    public double QueryScalingBeta { get; init; }

    /// <summary>
    /// Angle per position of each pair of values that turn, for a text of so many tokens: <see cref="Dim"/> / 2 numbers.
    /// </summary>
    public double[] Frequencies(long length)
    {
        double theta = Theta;
        if (Kind == RopeKind.Dynamic && length > OriginalMaxPositions)
            theta *= Math.Pow(Factor * length / OriginalMaxPositions - (Factor - 1), Dim / (Dim - 2.0));
        var frequencies = new double[Dim / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = Scaled(Math.Pow(theta, -2.0 * i / Dim), i, length);
        return frequencies;
    }

    double Scaled(double frequency, int i, long length)
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
                double low = Math.Max(PairWithRotations(BetaFast, Math.Floor), 0);
                double high = Math.Min(PairWithRotations(BetaSlow, Math.Ceiling), Dim - 1);
                double divided = Math.Clamp((i - low) / (high == low ? 0.001 : high - low), 0, 1);
                return (1 - divided) * frequency + divided * frequency / Factor;
            case RopeKind.LongRope:
                return frequency / (length > OriginalMaxPositions ? LongFactors : ShortFactors)[i];
            default:
                return frequency;
        }
    }

    double PairWithRotations(double rotations, Func<double, double> round)
    {
        double pair = Dim * Math.Log(OriginalMaxPositions / (rotations * 2 * Math.PI)) / (2 * Math.Log(Theta));
        return Truncate ? round(pair) : pair;
    }
}
