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

    /// <summary>
    /// Where x has the sign that the majority has (that of <paramref name="majority"/>, and + where it is 0): sum += x and weights += w. Zeros never agree.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddAgreeing(ReadOnlySpan<float> x, ReadOnlySpan<float> majority, float w, Span<float> sum, Span<float> weights)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(majority.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sum.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(weights.Length, x.Length);
        ref float from = ref MemoryMarshal.GetReference(x), sign = ref MemoryMarshal.GetReference(majority);
        ref float to = ref MemoryMarshal.GetReference(sum), weight = ref MemoryMarshal.GetReference(weights);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var own = Vector512.Create(w);
            for (; i + 16 <= n; i += 16)
            {
                var value = Vector512.LoadUnsafe(ref from, i);
                var plus = Vector512.GreaterThanOrEqual(Vector512.LoadUnsafe(ref sign, i), Vector512<float>.Zero);
                var agrees = Vector512.ConditionalSelect(plus,
                    Vector512.GreaterThan(value, Vector512<float>.Zero), Vector512.LessThan(value, Vector512<float>.Zero));
                (Vector512.LoadUnsafe(ref to, i) + (value & agrees)).StoreUnsafe(ref to, i);
                (Vector512.LoadUnsafe(ref weight, i) + (own & agrees)).StoreUnsafe(ref weight, i);
            }
        }
        for (; i < n; i++)
        {
            float value = x[(int)i];
            bool agrees = majority[(int)i] >= 0 ? value > 0 : value < 0;
            sum[(int)i] += agrees ? value : 0;
            weights[(int)i] += agrees ? w : 0;
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

    /// <summary>Where |x| is above <paramref name="epsilon"/>: sum += a x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddActive(ReadOnlySpan<float> x, float epsilon, float a, Span<float> sum)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(sum.Length, x.Length);
        ref float from = ref MemoryMarshal.GetReference(x), to = ref MemoryMarshal.GetReference(sum);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; i + 16 <= n; i += 16)
            {
                var value = Vector512.LoadUnsafe(ref from, i);
                var active = Vector512.GreaterThan(Vector512.Abs(value), Vector512.Create(epsilon));
                (Vector512.LoadUnsafe(ref to, i) + (value * Vector512.Create(a) & active)).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++) sum[(int)i] += MathF.Abs(x[(int)i]) > epsilon ? x[(int)i] * a : 0;
    }

    /// <summary>Where |x| is above <paramref name="epsilon"/>: counts += 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CountActive(ReadOnlySpan<float> x, float epsilon, Span<float> counts)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(counts.Length, x.Length);
        ref float from = ref MemoryMarshal.GetReference(x), to = ref MemoryMarshal.GetReference(counts);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; i + 16 <= n; i += 16)
            {
                var active = Vector512.GreaterThan(Vector512.Abs(Vector512.LoadUnsafe(ref from, i)), Vector512.Create(epsilon));
                (Vector512.LoadUnsafe(ref to, i) + (Vector512<float>.One & active)).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++) counts[(int)i] += MathF.Abs(x[(int)i]) > epsilon ? 1 : 0;
    }

    /// <summary>Of the elements where |x| is above <paramref name="epsilon"/>, those whose count is 1, and those whose count is larger.</summary>
    public static (int Unique, int Shared) CountUnique(ReadOnlySpan<float> x, float epsilon, ReadOnlySpan<float> counts)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(counts.Length, x.Length);
        ref float from = ref MemoryMarshal.GetReference(x), count = ref MemoryMarshal.GetReference(counts);
        nuint i = 0, n = (nuint)x.Length;
        int unique = 0, active = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; i + 16 <= n; i += 16)
            {
                var own = Vector512.GreaterThan(Vector512.Abs(Vector512.LoadUnsafe(ref from, i)), Vector512.Create(epsilon));
                var alone = own & Vector512.Equals(Vector512.LoadUnsafe(ref count, i), Vector512<float>.One);
                active += System.Numerics.BitOperations.PopCount(own.ExtractMostSignificantBits());
                unique += System.Numerics.BitOperations.PopCount(alone.ExtractMostSignificantBits());
            }
        }
        for (; i < n; i++)
        {
            if (MathF.Abs(x[(int)i]) <= epsilon) continue;
            active++;
            if (counts[(int)i] == 1) unique++;
        }
        return (unique, active - unique);
    }

    /// <summary>Where the count is 1: y = x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TakeWhereOne(ReadOnlySpan<float> x, ReadOnlySpan<float> counts, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(counts.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref float from = ref MemoryMarshal.GetReference(x), count = ref MemoryMarshal.GetReference(counts), to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16)
                Vector512.ConditionalSelect(Vector512.Equals(Vector512.LoadUnsafe(ref count, i), Vector512<float>.One),
                    Vector512.LoadUnsafe(ref from, i), Vector512.LoadUnsafe(ref to, i)).StoreUnsafe(ref to, i);
        for (; i < n; i++)
            if (counts[(int)i] == 1) y[(int)i] = x[(int)i];
    }
}
