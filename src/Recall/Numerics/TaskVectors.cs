using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Arithmetic on task vectors (model minus base), element by element on float32, rounded as in <see cref="Elementwise"/>. Spans of one call have
/// the same length.
/// </summary>
static class TaskVectors
{
    /// <summary>x = x − b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Subtract(ReadOnlySpan<float> b, Span<float> x)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        ref float origin = ref MemoryMarshal.GetReference(b), to = ref MemoryMarshal.GetReference(x);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16) (Vector512.LoadUnsafe(ref to, i) - Vector512.LoadUnsafe(ref origin, i)).StoreUnsafe(ref to, i);
        for (; i < n; i++) x[(int)i] -= b[(int)i];
    }

    /// <summary>y = a (x − b), of float32 or bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ScaledDifference<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, float a, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        ref T from = ref MemoryMarshal.GetReference(x), origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        var factor = Vector512.Create(a);
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16) ((Lanes<T>.Sixteen(ref from, i) - Lanes<T>.Sixteen(ref origin, i)) * factor).StoreUnsafe(ref to, i);
        for (; i < n; i++) y[(int)i] = (Lanes<T>.One(ref from, i) - Lanes<T>.One(ref origin, i)) * a;
    }

    /// <summary>y = b + δ, δ = x − b where the key of a δ (<see cref="Magnitudes"/>) is above the limit, else 0; of float32 or bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddImportant<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, float a, int limit, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        ref T from = ref MemoryMarshal.GetReference(x), origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var (factor, edge, mask) = (Vector512.Create(a), Vector512.Create(limit), Vector512.Create(0x7FFF_FFFF));
            for (; i + 16 <= n; i += 16)
            {
                var start = Lanes<T>.Sixteen(ref origin, i);
                var delta = Lanes<T>.Sixteen(ref from, i) - start;
                (start + (delta & Vector512.GreaterThan((delta * factor).AsInt32() & mask, edge).AsSingle())).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float start = Lanes<T>.One(ref origin, i), delta = Lanes<T>.One(ref from, i) - start;
            y[(int)i] = start + (Magnitudes.Key(delta * a) > limit ? delta : 0);
        }
    }

    /// <summary>
    /// TIES's election over M arrays: the sign of Σ v_m x_m is elected, + where it is 0; of the s_m x_m of that sign come the sum, and the sum of their
    /// weights w_m. Zeros never agree.
    /// </summary>
    /// <param name="arrays">Arrays of at least the length of the results.</param>
    /// <param name="which">Which of them vote; sums go in this order.</param>
    /// <param name="votes">v, one a voter.</param>
    /// <param name="scales">s, one a voter.</param>
    /// <param name="weights">w, one a voter.</param>
    /// <param name="sum">The sums.</param>
    /// <param name="weight">The sums of weights, of the same length.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Elect(
        ReadOnlySpan<float[]> arrays, ReadOnlySpan<int> which, ReadOnlySpan<float> votes, ReadOnlySpan<float> scales, ReadOnlySpan<float> weights,
        Span<float> sum, Span<float> weight)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(weight.Length, sum.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(votes.Length, which.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(scales.Length, which.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(weights.Length, which.Length);
        foreach (int m in which) ArgumentOutOfRangeException.ThrowIfLessThan(arrays[m].Length, sum.Length);
        ref float to = ref MemoryMarshal.GetReference(sum), own = ref MemoryMarshal.GetReference(weight);
        nuint i = 0, n = (nuint)sum.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; i + 16 <= n; i += 16)
            {
                Vector512<float> majority = Vector512<float>.Zero, total = majority, divisor = majority;
                for (int v = 0; v < which.Length; v++)
                    majority += Vector512.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(arrays[which[v]]), i) * Vector512.Create(votes[v]);
                var plus = Vector512.GreaterThanOrEqual(majority, Vector512<float>.Zero);
                for (int v = 0; v < which.Length; v++)
                {
                    var value = Vector512.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(arrays[which[v]]), i) * Vector512.Create(scales[v]);
                    var agrees = Vector512.ConditionalSelect(plus,
                        Vector512.GreaterThan(value, Vector512<float>.Zero), Vector512.LessThan(value, Vector512<float>.Zero));
                    total += value & agrees;
                    divisor += Vector512.Create(weights[v]) & agrees;
                }
                total.StoreUnsafe(ref to, i);
                divisor.StoreUnsafe(ref own, i);
            }
        }
        for (; i < n; i++)
        {
            float majority = 0, total = 0, divisor = 0;
            for (int v = 0; v < which.Length; v++) majority += arrays[which[v]][i] * votes[v];
            for (int v = 0; v < which.Length; v++)
            {
                float value = arrays[which[v]][i] * scales[v];
                bool agrees = majority >= 0 ? value > 0 : value < 0;
                total += agrees ? value : 0;
                divisor += agrees ? weights[v] : 0;
            }
            sum[(int)i] = total;
            weight[(int)i] = divisor;
        }
    }

    /// <summary>
    /// TIES's election over M arrays: y = b + a Σ v_m / Σ w_m over the v_m that have the sign of the sum of all, + where that is 0; zeros never have it.
    /// </summary>
    /// <param name="b">The base.</param>
    /// <param name="arrays">Arrays of at least the length of the results.</param>
    /// <param name="which">Which of them are the v, in this order.</param>
    /// <param name="weights">w, one a v; a sum of 0 counts as 1. Empty: nothing is divided.</param>
    /// <param name="a">a.</param>
    /// <param name="y">The results.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddElected<T>(
        ReadOnlySpan<T> b, ReadOnlySpan<float[]> arrays, ReadOnlySpan<int> which, ReadOnlySpan<float> weights, float a, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, y.Length);
        if (!weights.IsEmpty) ArgumentOutOfRangeException.ThrowIfNotEqual(weights.Length, which.Length);
        foreach (int m in which) ArgumentOutOfRangeException.ThrowIfLessThan(arrays[m].Length, y.Length);
        ref T origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)y.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            Vector512<float> zero = Vector512<float>.Zero, factor = Vector512.Create(a);
            for (; i + 16 <= n; i += 16)
            {
                Vector512<float> sum = zero, total = zero, divisor = zero;
                foreach (int m in which) sum += Vector512.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(arrays[m]), i);
                var minus = Vector512.AndNot(Vector512.Create(-0f), Vector512.GreaterThanOrEqual(sum, zero));     // turns the signs where the sum is not at least 0
                for (int v = 0; v < which.Length; v++)
                {
                    var value = Vector512.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(arrays[which[v]]), i);
                    var agrees = Vector512.GreaterThan(value ^ minus, zero);
                    total += value & agrees;
                    if (!weights.IsEmpty) divisor += Vector512.Create(weights[v]) & agrees;
                }
                if (!weights.IsEmpty) total /= Vector512.ConditionalSelect(Vector512.Equals(divisor, zero), Vector512<float>.One, divisor);
                (Lanes<T>.Sixteen(ref origin, i) + total * factor).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float sum = 0, total = 0, divisor = 0;
            foreach (int m in which) sum += arrays[m][i];
            for (int v = 0; v < which.Length; v++)
            {
                float value = arrays[which[v]][i];
                if (!(sum >= 0 ? value > 0 : value < 0)) continue;
                total += value;
                divisor += weights.IsEmpty ? 0 : weights[v];
            }
            y[(int)i] = Lanes<T>.One(ref origin, i) + total / (divisor == 0 ? 1 : divisor) * a;
        }
    }

    /// <summary>y = b + a · sum / weights, where weights of 0 count as 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddQuotient(ReadOnlySpan<float> b, ReadOnlySpan<float> sum, ReadOnlySpan<float> weights, float a, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, y.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sum.Length, y.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(weights.Length, y.Length);
        ref float origin = ref MemoryMarshal.GetReference(b), from = ref MemoryMarshal.GetReference(sum);
        ref float weight = ref MemoryMarshal.GetReference(weights), to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)y.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var factor = Vector512.Create(a);
            for (; i + 16 <= n; i += 16)
            {
                var divisor = Vector512.LoadUnsafe(ref weight, i);
                divisor = Vector512.ConditionalSelect(Vector512.Equals(divisor, Vector512<float>.Zero), Vector512<float>.One, divisor);
                (Vector512.LoadUnsafe(ref origin, i) + Vector512.LoadUnsafe(ref from, i) / divisor * factor).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float divisor = weights[(int)i] == 0 ? 1 : weights[(int)i];
            y[(int)i] = b[(int)i] + sum[(int)i] / divisor * a;
        }
    }
}
