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

    /// <summary>y = x − b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Subtract<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref T from = ref MemoryMarshal.GetReference(x), origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16) (Lanes<T>.Sixteen(ref from, i) - Lanes<T>.Sixteen(ref origin, i)).StoreUnsafe(ref to, i);
        for (; i < n; i++) y[(int)i] = Lanes<T>.One(ref from, i) - Lanes<T>.One(ref origin, i);
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

    /// <summary>
    /// y = b + Σ δ_m / max(c, 1) over the c of the δ_m = x_m − b that are active, |δ_m| &gt; <paramref name="epsilon"/>; f_m δ_m where one alone is.
    /// </summary>
    /// <param name="b">The base.</param>
    /// <param name="arrays">Arrays of at least the length of b.</param>
    /// <param name="which">Which of them are the x, in this order.</param>
    /// <param name="epsilon">Where an element begins to be active.</param>
    /// <param name="factors">f, one an x.</param>
    /// <param name="y">The results.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddActive(
        ReadOnlySpan<float> b, ReadOnlySpan<float[]> arrays, ReadOnlySpan<int> which, float epsilon, ReadOnlySpan<float> factors, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, b.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(factors.Length, which.Length);
        foreach (int m in which) ArgumentOutOfRangeException.ThrowIfLessThan(arrays[m].Length, b.Length);
        ref float origin = ref MemoryMarshal.GetReference(b), to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)b.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var (edge, one) = (Vector512.Create(epsilon), Vector512<float>.One);
            for (; i + 16 <= n; i += 16)
            {
                Vector512<float> start = Vector512.LoadUnsafe(ref origin, i), count = Vector512<float>.Zero, sum = count, alone = count;
                for (int v = 0; v < which.Length; v++)
                {
                    var delta = Vector512.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(arrays[which[v]]), i) - start;
                    var active = Vector512.GreaterThan(Vector512.Abs(delta), edge);
                    count += one & active;
                    sum += delta & active;
                    alone += delta * Vector512.Create(factors[v]) & active;
                }
                sum = Vector512.ConditionalSelect(Vector512.Equals(count, one), alone, sum);
                (start + sum / Vector512.Max(count, one)).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float start = b[(int)i], sum = 0, alone = 0;
            int count = 0;
            for (int v = 0; v < which.Length; v++)
            {
                float delta = arrays[which[v]][i] - start;
                if (!(MathF.Abs(delta) > epsilon)) continue;
                (count, sum, alone) = (count + 1, sum + delta, alone + delta * factors[v]);
            }
            y[(int)i] = start + (count == 1 ? alone : sum) / Math.Max(count, 1);
        }
    }

    /// <summary>
    /// Of each δ_m = x_m − b adds the number of active elements, |δ_m| &gt; <paramref name="epsilon"/>, where it alone is active to counts[2 m], and where
    /// others are too to counts[2 m + 1].
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CountActive(ReadOnlySpan<float> b, ReadOnlySpan<float[]> arrays, ReadOnlySpan<int> which, float epsilon, Span<long> counts)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(counts.Length, 2 * which.Length);
        foreach (int m in which) ArgumentOutOfRangeException.ThrowIfLessThan(arrays[m].Length, b.Length);
        ref float origin = ref MemoryMarshal.GetReference(b);
        nuint i = 0, n = (nuint)b.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var edge = Vector512.Create(epsilon);
            for (; i + 16 <= n; i += 16)
            {
                var start = Vector512.LoadUnsafe(ref origin, i);
                ulong some = 0, several = 0;
                for (int v = 0; v < which.Length; v++)
                {
                    ulong active = Active(arrays[which[v]], i, start, edge);
                    several |= some & active;
                    some |= active;
                }
                for (int v = 0; v < which.Length; v++)
                {
                    ulong active = Active(arrays[which[v]], i, start, edge);
                    counts[2 * v] += System.Numerics.BitOperations.PopCount(active & ~several);
                    counts[2 * v + 1] += System.Numerics.BitOperations.PopCount(active & several);
                }
            }
        }
        for (; i < n; i++)
        {
            int count = 0;
            foreach (int m in which) count += MathF.Abs(arrays[m][i] - b[(int)i]) > epsilon ? 1 : 0;
            for (int v = 0; v < which.Length; v++)
                if (MathF.Abs(arrays[which[v]][i] - b[(int)i]) > epsilon) counts[2 * v + (count == 1 ? 0 : 1)]++;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong Active(float[] values, nuint i, Vector512<float> start, Vector512<float> edge) =>
        Vector512.GreaterThan(Vector512.Abs(Vector512.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(values), i) - start), edge).ExtractMostSignificantBits();
}
