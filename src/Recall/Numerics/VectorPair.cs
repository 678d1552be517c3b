using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Two task vectors, δ = x − b and ε = z − b, as SCE merges them: their values are the variances over the two, (δ − ε)² / 4 in float64, rounded once,
/// and by these elements are selected. Inputs are float32 or bfloat16 (<see cref="Lanes{T}"/>), spans have the same length.
/// </summary>
readonly ref struct VectorPair<T> : IValues<VectorPair<T>> where T : unmanaged
{
    readonly ReadOnlySpan<T> _x, _z, _b;

    public VectorPair(ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> b)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Length, b.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(z.Length, b.Length);
        _x = x;
        _z = z;
        _b = b;
    }

    public int Length => _b.Length;

    public VectorPair<T> Slice(int start, int length) => new(_x.Slice(start, length), _z.Slice(start, length), _b.Slice(start, length));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Sixteen(nuint at)
    {
        var b = Lanes<T>.Sixteen(ref MemoryMarshal.GetReference(_b), at);
        return Variances(Lanes<T>.Sixteen(ref MemoryMarshal.GetReference(_x), at) - b, Lanes<T>.Sixteen(ref MemoryMarshal.GetReference(_z), at) - b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (Vector512<float> First, Vector512<float> Second) Pair(nuint at)
    {
        var (b1, b2) = Lanes<T>.Halves(ref MemoryMarshal.GetReference(_b), at);
        var (x1, x2) = Lanes<T>.Halves(ref MemoryMarshal.GetReference(_x), at);
        var (z1, z2) = Lanes<T>.Halves(ref MemoryMarshal.GetReference(_z), at);
        return (Variances(x1 - b1, z1 - b1), Variances(x2 - b2, z2 - b2));
    }

    public static Vector512<ushort> Order
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Lanes<T>.HalvesOrder;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float One(nuint at)
    {
        float b = Lanes<T>.One(ref MemoryMarshal.GetReference(_b), at);
        return Variance(Lanes<T>.One(ref MemoryMarshal.GetReference(_x), at) - b, Lanes<T>.One(ref MemoryMarshal.GetReference(_z), at) - b);
    }

    /// <summary>
    /// Σ δ² and Σ ε² over the selected elements. Of each run of 64, the squares of elements 2i, 2i + 1, 2i + 32 and 2i + 33 are added in float32, and
    /// these sums go to lane i mod 16 in float64; what is left of the last run follows one by one: the same bits at every vector width.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public (double First, double Second) Squares(KeptKeys selected)
    {
        nuint i = 0, n = (nuint)Length;
        bool all = selected == KeptKeys.All;
        KeyRange range = new(selected);
        Vector512<double> low1 = Vector512<double>.Zero, high1 = low1, low2 = low1, high2 = low1;
        for (; i + 64 <= n; i += 64)
        {
            Vector512<float> one = Vector512<float>.Zero, other = one;
            AddSquares(i, all, range, ref one, ref other);
            AddSquares(i + 32, all, range, ref one, ref other);
            (low1, high1) = (low1 + Sums.Widen(one.GetLower()), high1 + Sums.Widen(one.GetUpper()));
            (low2, high2) = (low2 + Sums.Widen(other.GetLower()), high2 + Sums.Widen(other.GetUpper()));
        }
        double sum1 = Sums.Add(low1 + high1), sum2 = Sums.Add(low2 + high2);
        if (!double.IsFinite(sum1 + sum2)) (i, sum1, sum2) = (0, 0, 0);     // four of them may be beyond float32
        for (; i < n; i++)
        {
            float start = Lanes<T>.One(ref MemoryMarshal.GetReference(_b), i);
            float one = Lanes<T>.One(ref MemoryMarshal.GetReference(_x), i) - start, other = Lanes<T>.One(ref MemoryMarshal.GetReference(_z), i) - start;
            if (selected.Has(Variance(one, other))) (sum1, sum2) = (sum1 + (double)one * one, sum2 + (double)other * other);
        }
        return (sum1, sum2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void AddSquares(nuint at, bool all, KeyRange range, ref Vector512<float> one, ref Vector512<float> other)
    {
        var (b1, b2) = Lanes<T>.Pair(ref MemoryMarshal.GetReference(_b), at);
        var (x1, x2) = Lanes<T>.Pair(ref MemoryMarshal.GetReference(_x), at);
        var (z1, z2) = Lanes<T>.Pair(ref MemoryMarshal.GetReference(_z), at);
        (x1, x2, z1, z2) = (x1 - b1, x2 - b2, z1 - b1, z2 - b2);
        if (!all)
        {
            Vector512<float> kept1 = range.Has(Variances(x1, z1)), kept2 = range.Has(Variances(x2, z2)), zero = Vector512<float>.Zero;
            (x1, z1) = (Vector512.ConditionalSelect(kept1, x1, zero), Vector512.ConditionalSelect(kept1, z1, zero));
            (x2, z2) = (Vector512.ConditionalSelect(kept2, x2, zero), Vector512.ConditionalSelect(kept2, z2, zero));
        }
        one = one + x1 * x1 + x2 * x2;
        other = other + z1 * z1 + z2 * z2;
    }

    /// <summary>
    /// y = b + (v δ + w ε) / (v + w) of the selected δ and ε that have the sign of δ + ε, + where that is 0; a divisor is at least <paramref name="least"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddElected(KeptKeys selected, float v, float w, float least, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, Length);
        ref T first = ref MemoryMarshal.GetReference(_x), second = ref MemoryMarshal.GetReference(_z), origin = ref MemoryMarshal.GetReference(_b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)Length;
        if (Vector128.IsHardwareAccelerated)
        {
            bool all = selected == KeptKeys.All;
            KeyRange range = new(selected);
            Vector512<float> one = Vector512.Create(v), other = Vector512.Create(w);
            var smallest = Vector512.Create(least).AsInt32();
            for (; i + 32 <= n; i += 32)
            {
                var ((b1, b2), (x1, x2), (z1, z2)) = (Lanes<T>.Halves(ref origin, i), Lanes<T>.Halves(ref first, i), Lanes<T>.Halves(ref second, i));
                var y1 = Elected(b1, x1 - b1, z1 - b1, all, range, one, other, smallest);
                Lanes<T>.Store(y1, Elected(b2, x2 - b2, z2 - b2, all, range, one, other, smallest), ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float start = Lanes<T>.One(ref origin, i), one = Lanes<T>.One(ref first, i) - start, other = Lanes<T>.One(ref second, i) - start;
            if (!selected.Has(Variance(one, other))) one = other = 0;
            bool plus = one + other >= 0;
            (one, other) = (one * v, other * w);
            bool agrees1 = plus ? one > 0 : one < 0, agrees2 = plus ? other > 0 : other < 0;
            y[(int)i] = start + ((agrees1 ? one : 0) + (agrees2 ? other : 0)) / MathF.Max((agrees1 ? v : 0) + (agrees2 ? w : 0), least);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Elected(
        Vector512<float> start, Vector512<float> one, Vector512<float> other, bool all, in KeyRange range, Vector512<float> v, Vector512<float> w,
        Vector512<int> least)
    {
        var zero = Vector512<float>.Zero;
        if (!all)
        {
            var kept = range.Has(Variances(one, other));
            (one, other) = (Vector512.ConditionalSelect(kept, one, zero), Vector512.ConditionalSelect(kept, other, zero));
        }
        var sign = Election.Sign(one + other);
        Vector512<float> p1 = Election.Positive(one * v, sign), p2 = Election.Positive(other * w, sign);
        var divisor = Vector512.Max(Election.AddWhere(p2, w, Election.AddWhere(p1, v, zero)).AsInt32(), least).AsSingle();
        return start + ((p1 + p2) | sign.AsSingle()) / divisor;
    }

    // Where float32 holds all sixteen differences, as nearly always of bfloat16 models, their squares need no float64: what is lost of a difference
    // is a multiple of the last place of the smaller number, so that one of the two sums below would show it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Variances(Vector512<float> one, Vector512<float> other)
    {
        Vector512<float> difference = one - other, half = difference * Vector512.Create(0.5f);
        if (Vector512.EqualsAll(one - difference, other) && Vector512.EqualsAll(other + difference, one)) return half * half;
        var low = Sums.Widen(one.GetLower()) - Sums.Widen(other.GetLower());
        var high = Sums.Widen(one.GetUpper()) - Sums.Widen(other.GetUpper());
        var quarter = Vector512.Create(0.25);
        return Vector512.Narrow(low * low * quarter, high * high * quarter);
    }

    static float Variance(float one, float other)
    {
        double difference = (double)one - other;
        return (float)(difference * difference * 0.25);
    }
}
