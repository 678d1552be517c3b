using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Arithmetic on task vectors x − b of which some elements are kept, the others being 0, rounded as in <see cref="Elementwise"/>. Masks have a bit
/// an element, the lowest first: 1 where it is kept.
/// </summary>
static class Masked
{
    /// <summary>
    /// Σ |x_i − b_i| over all elements and over those that are kept. Of each run of 64, elements 2i, 2i + 1, 2i + 32 and 2i + 33
    /// are added in float32, and these sums go to lane i mod 16 in float64; what is left of the last run follows one by one: the same bits at every vector width.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double All, double Kept) Magnitudes<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, ReadOnlySpan<ulong> mask) where T : unmanaged
    {
        Check(x, b, mask);
        ref T from = ref MemoryMarshal.GetReference(x), origin = ref MemoryMarshal.GetReference(b);
        ref uint words = ref Unsafe.As<ulong, uint>(ref MemoryMarshal.GetReference(mask));
        nuint i = 0, n = (nuint)x.Length;
        Vector512<double> all1 = Vector512<double>.Zero, all2 = all1, kept1 = all1, kept2 = all1;
        for (; i + 64 <= n; i += 64)
        {
            var (one, two) = Magnitudes(ref from, ref origin, i);
            var (three, four) = Magnitudes(ref from, ref origin, i + 32);
            Vector512<uint> bits = Vector512.Create(Unsafe.Add(ref words, i / 32)), more = Vector512.Create(Unsafe.Add(ref words, i / 32 + 1));
            var all = one + two + three + four;
            var kept = Vector512.ConditionalSelect(Has(bits, true), one, Vector512<float>.Zero);
            kept = Vector512.ConditionalSelect(Has(bits, false), kept + two, kept);
            kept = Vector512.ConditionalSelect(Has(more, true), kept + three, kept);
            kept = Vector512.ConditionalSelect(Has(more, false), kept + four, kept);
            all1 += Sums.Widen(all.GetLower());
            all2 += Sums.Widen(all.GetUpper());
            kept1 += Sums.Widen(kept.GetLower());
            kept2 += Sums.Widen(kept.GetUpper());
        }
        var (sum, keptSum) = (Sums.Add(all1 + all2), Sums.Add(kept1 + kept2));
        if (!double.IsFinite(sum)) (i, sum, keptSum) = (0, 0, 0);     // four of them may be beyond float32
        for (; i < n; i++)
        {
            double magnitude = MathF.Abs(Lanes<T>.One(ref from, i) - Lanes<T>.One(ref origin, i));
            sum += magnitude;
            if (Holds(mask, i)) keptSum += magnitude;
        }
        return (sum, keptSum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static (Vector512<float> Even, Vector512<float> Odd) Magnitudes<T>(ref T x, ref T b, nuint at) where T : unmanaged
    {
        var ((x1, x2), (b1, b2)) = (Lanes<T>.Pair(ref x, at), Lanes<T>.Pair(ref b, at));
        return (Vector512.Abs(x1 - b1), Vector512.Abs(x2 - b2));
    }

    // All bits where the element at an even or odd place is kept.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Has(Vector512<uint> bits, bool even) =>
        (~Vector512.Equals(bits & Lanes<BFloat16>.Places(even), Vector512<uint>.Zero)).AsSingle();

    /// <summary>y = a (x − b) where it is kept, else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ScaledDifference<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, ReadOnlySpan<ulong> mask, float a, Span<float> y) where T : unmanaged
    {
        Check(x, b, mask);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref T origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        Ballot<T, KeptBits<T>> kept = new(x, a, 1, new(mask));
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var scale = Vector512.Create(a);
            for (; i + 32 <= n; i += 32)
            {
                var (first, second) = (Lanes<T>.Half(ref origin, i, true), Lanes<T>.Half(ref origin, i, false));
                Lanes<T>.Store(kept.Values(first, i, true, scale), kept.Values(second, i, false, scale), ref to, i);
            }
        }
        for (; i < n; i++) y[(int)i] = kept.Value(Lanes<T>.One(ref origin, i), i);
    }

    /// <summary>y = ((o + a1 (x1 − b)) + a2 (x2 − b)) + …, o being b or what y holds; what is not kept changes nothing.</summary>
    /// <param name="b">The base.</param>
    /// <param name="one">x1, its scale a1, and its mask.</param>
    /// <param name="two">The second.</param>
    /// <param name="three">The third.</param>
    /// <param name="four">The fourth.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="toBase">Whether o is b.</param>
    /// <param name="y">The results.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled<T>(
        ReadOnlySpan<T> b, Ballot<T, KeptBits<T>> one, Ballot<T, KeptBits<T>> two, Ballot<T, KeptBits<T>> three, Ballot<T, KeptBits<T>> four, int count,
        bool toBase, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, b.Length);
        Ballot<T, KeptBits<T>>.Check(b.Length, one, two, three, four, count);
        ref T origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)b.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            Vectors scales = new(one.Scale, two.Scale, three.Scale, four.Scale);
            for (; i + 32 <= n; i += 32)
            {
                Vector512<float> start1 = Lanes<T>.Half(ref origin, i, true), start2 = Lanes<T>.Half(ref origin, i, false), sum1 = start1, sum2 = start2;
                if (!toBase) (sum1, sum2) = (Lanes<T>.HalfInOrder(ref to, i, true), Lanes<T>.HalfInOrder(ref to, i, false));
                (sum1, sum2) = (one.Add(sum1, start1, i, true, scales.One), one.Add(sum2, start2, i, false, scales.One));
                if (count > 1) (sum1, sum2) = (two.Add(sum1, start1, i, true, scales.Two), two.Add(sum2, start2, i, false, scales.Two));
                if (count > 2) (sum1, sum2) = (three.Add(sum1, start1, i, true, scales.Three), three.Add(sum2, start2, i, false, scales.Three));
                if (count > 3) (sum1, sum2) = (four.Add(sum1, start1, i, true, scales.Four), four.Add(sum2, start2, i, false, scales.Four));
                Lanes<T>.Store(sum1, sum2, ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float start = Lanes<T>.One(ref origin, i), sum = one.Add(toBase ? start : y[(int)i], start, i);
            if (count > 1) sum = two.Add(sum, start, i);
            if (count > 2) sum = three.Add(sum, start, i);
            y[(int)i] = count > 3 ? four.Add(sum, start, i) : sum;
        }
    }

    static bool Holds(ReadOnlySpan<ulong> mask, nuint i) => (mask[(int)(i / 64)] >> (int)(i % 64) & 1) != 0;

    static void Check<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, ReadOnlySpan<ulong> mask)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(mask.Length, (x.Length + 63) / 64);
    }
}
