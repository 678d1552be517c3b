using Recall.Numerics;

namespace Recall.Representations;

/// <summary>
/// The words of <see cref="SplitMix"/> one after another: the same numbers from the same seed on every version of .NET, which its own Random does
/// not promise.
/// </summary>
sealed class SplitMix64(ulong seed)
{
    readonly SplitMix _words = new(seed, SplitMix.GoldenGamma);
    long _next;

    /// <summary>64 random bits.</summary>
    public ulong Next() => _words[_next++];

    /// <summary>Uniform in [0, 1).</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1L << 53));

    /// <summary>Uniform in 0 … limit − 1.</summary>
    public int Below(int limit) => (int)(((UInt128)Next() * (ulong)limit) >> 64);
}
