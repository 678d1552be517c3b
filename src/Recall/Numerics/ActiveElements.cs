using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// The elements that a model changes: those of δ = x − b with |δ| &gt; epsilon. Values of type T are float32 or bfloat16; rounded as in
/// <see cref="Elementwise"/>.
/// </summary>
static class ActiveElements
{
    const int WordBits = 64;

    /// <summary>Words of marks for so many elements.</summary>
    public static int Words(int elements) => (elements + WordBits - 1) / WordBits;

    /// <summary>Sets bit i of the marks (bit i % 64 of word i / 64) where element i is active, and clears the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mark<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, float epsilon, Span<ulong> marks) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Length, b.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(marks.Length, Words(b.Length));
        ref T origin = ref MemoryMarshal.GetReference(b), from = ref MemoryMarshal.GetReference(x);
        nuint i = 0, n = (nuint)b.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var edge = Vector512.Create(epsilon);
            for (; i + WordBits <= n; i += WordBits)
            {
                ulong word = Sixteen(ref origin, ref from, i, edge) | Sixteen(ref origin, ref from, i + 16, edge) << 16;
                marks[(int)(i / WordBits)] = word | Sixteen(ref origin, ref from, i + 32, edge) << 32 | Sixteen(ref origin, ref from, i + 48, edge) << 48;
            }
        }
        marks[(int)(i / WordBits)..].Clear();
        for (; i < n; i++)
            if (MathF.Abs(Lanes<T>.One(ref from, i) - Lanes<T>.One(ref origin, i)) > epsilon) marks[(int)(i / WordBits)] |= 1UL << (int)(i % WordBits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong Sixteen<T>(ref T origin, ref T from, nuint i, Vector512<float> edge) where T : unmanaged =>
        Vector512.GreaterThan(Vector512.Abs(Lanes<T>.Sixteen(ref from, i) - Lanes<T>.Sixteen(ref origin, i)), edge).ExtractMostSignificantBits();

    /// <summary>
    /// Of the marks of each model (all of one model, then all of the next) adds how many it alone has to counts[2 m], and how many others have too to
    /// counts[2 m + 1].
    /// </summary>
    public static void Count(ReadOnlySpan<ulong> marks, Span<long> counts)
    {
        int models = counts.Length / 2, words = marks.Length / models;
        for (int w = 0; w < words; w++)
        {
            ulong some = 0, several = 0;
            for (int at = w; at < marks.Length; at += words) (several, some) = (several | some & marks[at], some | marks[at]);
            for (int m = 0; m < models; m++)
            {
                ulong own = marks[m * words + w];
                counts[2 * m] += BitOperations.PopCount(own & ~several);
                counts[2 * m + 1] += BitOperations.PopCount(own & several);
            }
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
    public static void Add(
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

    /// <summary>As the other, of two models x and z with the factors f and g.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, float f, ReadOnlySpan<T> z, float g, float epsilon, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, b.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Length, b.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(z.Length, b.Length);
        ref T origin = ref MemoryMarshal.GetReference(b), first = ref MemoryMarshal.GetReference(x), second = ref MemoryMarshal.GetReference(z);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)b.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var (edge, one, half, other) = (Vector512.Create(epsilon), Vector512.Create(f), Vector512.Create(0.5f), Vector512.Create(g));
            for (; i + 16 <= n; i += 16)
            {
                var start = Lanes<T>.Sixteen(ref origin, i);
                Vector512<float> left = Lanes<T>.Sixteen(ref first, i) - start, right = Lanes<T>.Sixteen(ref second, i) - start;
                Vector512<float> isLeft = Vector512.GreaterThan(Vector512.Abs(left), edge), isRight = Vector512.GreaterThan(Vector512.Abs(right), edge);
                var alone = (left * one & isLeft) + (right * other & isRight);
                (start + Vector512.ConditionalSelect(isLeft & isRight, (left + right) * half, alone)).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float start = Lanes<T>.One(ref origin, i), left = Lanes<T>.One(ref first, i) - start, right = Lanes<T>.One(ref second, i) - start;
            bool isLeft = MathF.Abs(left) > epsilon, isRight = MathF.Abs(right) > epsilon;
            y[(int)i] = start + (isLeft && isRight ? (left + right) * 0.5f : (isLeft ? left * f : 0) + (isRight ? right * g : 0));
        }
    }
}
