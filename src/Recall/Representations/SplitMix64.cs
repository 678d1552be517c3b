namespace Recall.Representations;

/// <summary>
/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers from the same seed on every version of .NET, which its own Random does not
/// promise.
/// </summary>
sealed class SplitMix64(ulong seed)
{
    ulong _state = seed;

    /// <summary>64 random bits.</summary>
    public ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1L << 53));

    /// <summary>Uniform in 0 … limit − 1.</summary>
    public int Below(int limit) => (int)(((UInt128)Next() * (ulong)limit) >> 64);
}
