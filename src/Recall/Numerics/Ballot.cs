using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// A task vector δ = x − b in a sum or an election of up to four: the model's values, the vector's scale and weight, and what is kept of it.
/// </summary>
readonly ref struct Ballot<T, TKept>(ReadOnlySpan<T> x, float scale, float weight, TKept kept) where T : unmanaged where TKept : IKept, allows ref struct
{
    readonly ReadOnlySpan<T> _x = x;
    readonly TKept _kept = kept;

    /// <summary>What the differences are multiplied with.</summary>
    public float Scale { get; } = scale;

    /// <summary>What it adds to an election's divisor where it agrees.</summary>
    public float Weight { get; } = weight;

    /// <summary>Refuses fewer values than a length, of as many ballots as the count says.</summary>
    public static void Check(int length, Ballot<T, TKept> one, Ballot<T, TKept> two, Ballot<T, TKept> three, Ballot<T, TKept> four, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, KeptVectors.MostVoters);
        if (!one.Covers(length) || (count > 1 && !two.Covers(length)) || (count > 2 && !three.Covers(length)) || (count > 3 && !four.Covers(length)))
            throw new ArgumentOutOfRangeException(nameof(length));
    }

    bool Covers(int length) => _x.Length >= length && _kept.Covers(length);

    /// <summary>What is kept of one half of the differences from the base, times the scale; else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Values(Vector512<float> start, nuint at, bool first, Vector512<float> scale)
    {
        var delta = Lanes<T>.Half(ref MemoryMarshal.GetReference(_x), at, first) - start;
        return Vector512.ConditionalSelect(_kept.Has(delta, at, first), delta * scale, Vector512<float>.Zero);
    }

    /// <summary>One of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Value(float start, nuint at)
    {
        float delta = Lanes<T>.One(ref MemoryMarshal.GetReference(_x), at) - start;
        return _kept.Has(delta, at) ? delta * Scale : 0;
    }

    /// <summary>Sums of one half, more what is kept, times the scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Add(Vector512<float> sum, Vector512<float> start, nuint at, bool first, Vector512<float> scale)
    {
        var delta = Lanes<T>.Half(ref MemoryMarshal.GetReference(_x), at, first) - start;
        return Vector512.ConditionalSelect(_kept.Has(delta, at, first), sum + delta * scale, sum);
    }

    /// <summary>One of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Add(float sum, float start, nuint at)
    {
        float delta = Lanes<T>.One(ref MemoryMarshal.GetReference(_x), at) - start;
        return _kept.Has(delta, at) ? sum + delta * Scale : sum;
    }
}

/// <summary>A number of each of four ballots, in every lane: made before a loop, they stay in registers.</summary>
readonly struct Vectors(float one, float two, float three, float four)
{
    public readonly Vector512<float> One = Vector512.Create(one), Two = Vector512.Create(two), Three = Vector512.Create(three), Four = Vector512.Create(four);
}
