using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>A task vector δ = x − b in a sum or an election of up to four: the model's values, the vector's scale and weight, and what is kept of it.</summary>
readonly ref struct Ballot<T, TKept>(ReadOnlySpan<T> x, float scale, float weight, TKept kept) where T : unmanaged where TKept : IKept, allows ref struct
{
    readonly ReadOnlySpan<T> _x = x;
    readonly TKept _kept = kept;
    readonly float _scale = scale;

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

    /// <summary>What is kept of one half of the differences from the base, scaled; else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Values(Vector512<float> start, nuint at, bool first)
    {
        var delta = Lanes<T>.Half(ref MemoryMarshal.GetReference(_x), at, first) - start;
        return Vector512.ConditionalSelect(_kept.Has(delta, at, first), delta * Vector512.Create(_scale), Vector512<float>.Zero);
    }

    /// <summary>One of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Value(float start, nuint at)
    {
        float delta = Lanes<T>.One(ref MemoryMarshal.GetReference(_x), at) - start;
        return _kept.Has(delta, at) ? delta * _scale : 0;
    }

    /// <summary>Sums of one half, more what is kept, scaled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Add(Vector512<float> sum, Vector512<float> start, nuint at, bool first)
    {
        var delta = Lanes<T>.Half(ref MemoryMarshal.GetReference(_x), at, first) - start;
        return Vector512.ConditionalSelect(_kept.Has(delta, at, first), sum + delta * Vector512.Create(_scale), sum);
    }

    /// <summary>One of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Add(float sum, float start, nuint at)
    {
        float delta = Lanes<T>.One(ref MemoryMarshal.GetReference(_x), at) - start;
        return _kept.Has(delta, at) ? sum + delta * _scale : sum;
    }
}
