using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Arithmetic element by element in float32. Multiplication and addition are two roundings on every CPU (no fused multiply-add), and elements
/// do not see one another, so results are the same at every vector width. Spans of one call have the same length. Inputs of type T are float32 or
/// bfloat16 (<see cref="Lanes{T}"/>).
/// </summary>
static class Elementwise
{
    /// <summary>y = a x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale<T>(ReadOnlySpan<T> x, float a, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref T from = ref MemoryMarshal.GetReference(x);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        var factor = Vector512.Create(a);
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16) (Lanes<T>.Sixteen(ref from, i) * factor).StoreUnsafe(ref to, i);
        for (; i < n; i++) y[(int)i] = Lanes<T>.One(ref from, i) * a;
    }

    /// <summary>y = y + a x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled<T>(ReadOnlySpan<T> x, float a, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref T from = ref MemoryMarshal.GetReference(x);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        var factor = Vector512.Create(a);
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16) (Vector512.LoadUnsafe(ref to, i) + Lanes<T>.Sixteen(ref from, i) * factor).StoreUnsafe(ref to, i);
        for (; i < n; i++) y[(int)i] += Lanes<T>.One(ref from, i) * a;
    }

    /// <summary>y = a x + b z.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mix<T>(ReadOnlySpan<T> x, float a, ReadOnlySpan<T> z, float b, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(z.Length, x.Length);
        ref T first = ref MemoryMarshal.GetReference(x), second = ref MemoryMarshal.GetReference(z);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        var (one, other) = (Vector512.Create(a), Vector512.Create(b));
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16) (Lanes<T>.Sixteen(ref first, i) * one + Lanes<T>.Sixteen(ref second, i) * other).StoreUnsafe(ref to, i);
        for (; i < n; i++) y[(int)i] = Lanes<T>.One(ref first, i) * a + Lanes<T>.One(ref second, i) * b;
    }

    /// <summary>y = (y + a x) + b z.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddMix<T>(ReadOnlySpan<T> x, float a, ReadOnlySpan<T> z, float b, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(z.Length, x.Length);
        ref T first = ref MemoryMarshal.GetReference(x), second = ref MemoryMarshal.GetReference(z);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        var (one, other) = (Vector512.Create(a), Vector512.Create(b));
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16)
                (Vector512.LoadUnsafe(ref to, i) + Lanes<T>.Sixteen(ref first, i) * one + Lanes<T>.Sixteen(ref second, i) * other).StoreUnsafe(ref to, i);
        for (; i < n; i++) y[(int)i] = y[(int)i] + Lanes<T>.One(ref first, i) * a + Lanes<T>.One(ref second, i) * b;
    }

    /// <summary>y = y + a (x − b).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaledDifference<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, float a, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        ref T from = ref MemoryMarshal.GetReference(x), origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        var factor = Vector512.Create(a);
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16)
                (Vector512.LoadUnsafe(ref to, i) + (Lanes<T>.Sixteen(ref from, i) - Lanes<T>.Sixteen(ref origin, i)) * factor).StoreUnsafe(ref to, i);
        for (; i < n; i++) y[(int)i] += (Lanes<T>.One(ref from, i) - Lanes<T>.One(ref origin, i)) * a;
    }

    /// <summary>y = (y + a (x − b)) + c (z − b).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaledDifferences<T>(ReadOnlySpan<T> x, float a, ReadOnlySpan<T> z, float c, ReadOnlySpan<T> b, Span<float> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(z.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        ref T first = ref MemoryMarshal.GetReference(x), second = ref MemoryMarshal.GetReference(z), origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        var (one, other) = (Vector512.Create(a), Vector512.Create(c));
        if (Vector128.IsHardwareAccelerated)
        {
            for (; i + 16 <= n; i += 16)
            {
                var from = Lanes<T>.Sixteen(ref origin, i);
                var sum = Vector512.LoadUnsafe(ref to, i) + (Lanes<T>.Sixteen(ref first, i) - from) * one;
                (sum + (Lanes<T>.Sixteen(ref second, i) - from) * other).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float from = Lanes<T>.One(ref origin, i);
            y[(int)i] = y[(int)i] + (Lanes<T>.One(ref first, i) - from) * a + (Lanes<T>.One(ref second, i) - from) * c;
        }
    }

    /// <summary>y = y + a x, with a factor for each element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddProduct(ReadOnlySpan<float> x, ReadOnlySpan<float> a, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(a.Length, x.Length);
        ref float from = ref MemoryMarshal.GetReference(x), factor = ref MemoryMarshal.GetReference(a), to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16)
                (Vector512.LoadUnsafe(ref to, i) + Vector512.LoadUnsafe(ref from, i) * Vector512.LoadUnsafe(ref factor, i)).StoreUnsafe(ref to, i);
        for (; i < n; i++) y[(int)i] += x[(int)i] * a[(int)i];
    }

    /// <summary>x = max(x, floor).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AtLeast(Span<float> x, float floor)
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
            for (; i + 16 <= n; i += 16) Vector512.Max(Vector512.LoadUnsafe(ref values, i), Vector512.Create(floor)).StoreUnsafe(ref values, i);
        for (; i < n; i++) x[(int)i] = MathF.Max(x[(int)i], floor);
    }

    /// <summary>y = α x + (1 − α) b, α = t / max(|b − x|, 1e-6), between 0 and 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MixNear<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, float t, Span<float> y) where T : unmanaged
    {
        const float Nearest = 1e-6f;
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        ref T origin = ref MemoryMarshal.GetReference(b), from = ref MemoryMarshal.GetReference(x);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; i + 16 <= n; i += 16)
            {
                var (one, other) = (Lanes<T>.Sixteen(ref origin, i), Lanes<T>.Sixteen(ref from, i));
                var share = Vector512.Create(t) / Vector512.Max(Vector512.Abs(one - other), Vector512.Create(Nearest));
                share = Vector512.Min(Vector512.Max(share, Vector512<float>.Zero), Vector512<float>.One);
                (share * other + (Vector512<float>.One - share) * one).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            var (one, other) = (Lanes<T>.One(ref origin, i), Lanes<T>.One(ref from, i));
            float share = MathF.Min(MathF.Max(t / MathF.Max(MathF.Abs(one - other), Nearest), 0), 1);
            y[(int)i] = share * other + (1 - share) * one;
        }
    }

    /// <summary>The largest magnitude; NaN where a value is NaN; 0 of no values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float MaxMagnitude(ReadOnlySpan<float> x)
    {
        // Magnitudes of floats compare as the integers of their bits, and every NaN above every number.
        ref int from = ref System.Runtime.CompilerServices.Unsafe.As<float, int>(ref MemoryMarshal.GetReference(x));
        nuint i = 0, n = (nuint)x.Length;
        int largest = 0;
        if (Vector128.IsHardwareAccelerated && n >= 16)
        {
            var lanes = Vector512<int>.Zero;
            var magnitude = Vector512.Create(0x7FFF_FFFF);
            for (; i + 16 <= n; i += 16) lanes = Vector512.Max(lanes, Vector512.LoadUnsafe(ref from, i) & magnitude);
            for (int lane = 0; lane < Vector512<int>.Count; lane++) largest = Math.Max(largest, lanes[lane]);
        }
        for (; i < n; i++) largest = Math.Max(largest, BitConverter.SingleToInt32Bits(x[(int)i]) & 0x7FFF_FFFF);
        return BitConverter.Int32BitsToSingle(largest);
    }
}
