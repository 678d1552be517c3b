using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Recall.Numerics;

/// <summary>
/// Sums over float32 values in float64. Element i goes to lane i mod 32 (to lane i mod 8 in the last, incomplete run of 32; the last i mod 8 follow one by one); lanes are added in
/// a fixed order, products are rounded before they are added: the same bits at every vector width.
/// </summary>
static class Sums
{
    /// <summary>Σ x_i y_i.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref float left = ref MemoryMarshal.GetReference(x), right = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        Vector512<double> first = Vector512<double>.Zero, second = first, third = first, fourth = first;
        for (; i + 32 <= n; i += 32)
        {
            first += Widen(Vector256.LoadUnsafe(ref left, i)) * Widen(Vector256.LoadUnsafe(ref right, i));
            second += Widen(Vector256.LoadUnsafe(ref left, i + 8)) * Widen(Vector256.LoadUnsafe(ref right, i + 8));
            third += Widen(Vector256.LoadUnsafe(ref left, i + 16)) * Widen(Vector256.LoadUnsafe(ref right, i + 16));
            fourth += Widen(Vector256.LoadUnsafe(ref left, i + 24)) * Widen(Vector256.LoadUnsafe(ref right, i + 24));
        }
        for (; i + 8 <= n; i += 8) first += Widen(Vector256.LoadUnsafe(ref left, i)) * Widen(Vector256.LoadUnsafe(ref right, i));
        double sum = Add(first + second + (third + fourth));
        for (; i < n; i++) sum += (double)x[(int)i] * y[(int)i];
        return sum;
    }

    /// <summary>
    /// Σ x_i², Σ y_i² and Σ x_i y_i, each as <see cref="Dot"/> gives it, in one pass. Products of two float32 are exact in float64: whether the
    /// CPU fuses them with the addition makes no difference.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double XX, double YY, double XY) Products<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref T left = ref MemoryMarshal.GetReference(x), right = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        Vector512<double> xx1 = Vector512<double>.Zero, xx2 = xx1, xx3 = xx1, xx4 = xx1, yy1 = xx1, yy2 = xx1, yy3 = xx1, yy4 = xx1;
        Vector512<double> xy1 = xx1, xy2 = xx1, xy3 = xx1, xy4 = xx1;
        for (; i + 32 <= n; i += 32)
        {
            Vector512<double> a = Widen(Lanes<T>.Eight(ref left, i)), b = Widen(Lanes<T>.Eight(ref right, i));
            (xx1, yy1, xy1) = (Vector512.MultiplyAddEstimate(a, a, xx1), Vector512.MultiplyAddEstimate(b, b, yy1), Vector512.MultiplyAddEstimate(a, b, xy1));
            (a, b) = (Widen(Lanes<T>.Eight(ref left, i + 8)), Widen(Lanes<T>.Eight(ref right, i + 8)));
            (xx2, yy2, xy2) = (Vector512.MultiplyAddEstimate(a, a, xx2), Vector512.MultiplyAddEstimate(b, b, yy2), Vector512.MultiplyAddEstimate(a, b, xy2));
            (a, b) = (Widen(Lanes<T>.Eight(ref left, i + 16)), Widen(Lanes<T>.Eight(ref right, i + 16)));
            (xx3, yy3, xy3) = (Vector512.MultiplyAddEstimate(a, a, xx3), Vector512.MultiplyAddEstimate(b, b, yy3), Vector512.MultiplyAddEstimate(a, b, xy3));
            (a, b) = (Widen(Lanes<T>.Eight(ref left, i + 24)), Widen(Lanes<T>.Eight(ref right, i + 24)));
            (xx4, yy4, xy4) = (Vector512.MultiplyAddEstimate(a, a, xx4), Vector512.MultiplyAddEstimate(b, b, yy4), Vector512.MultiplyAddEstimate(a, b, xy4));
        }
        for (; i + 8 <= n; i += 8)
        {
            Vector512<double> a = Widen(Lanes<T>.Eight(ref left, i)), b = Widen(Lanes<T>.Eight(ref right, i));
            (xx1, yy1, xy1) = (Vector512.MultiplyAddEstimate(a, a, xx1), Vector512.MultiplyAddEstimate(b, b, yy1), Vector512.MultiplyAddEstimate(a, b, xy1));
        }
        double xx = Add(xx1 + xx2 + (xx3 + xx4)), yy = Add(yy1 + yy2 + (yy3 + yy4)), xy = Add(xy1 + xy2 + (xy3 + xy4));
        for (; i < n; i++)
        {
            double a = Lanes<T>.One(ref left, i), b = Lanes<T>.One(ref right, i);
            (xx, yy, xy) = (xx + a * a, yy + b * b, xy + a * b);
        }
        return (xx, yy, xy);
    }

    /// <summary>Σ |x_i|.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Magnitudes(ReadOnlySpan<float> x)
    {
        ref float from = ref MemoryMarshal.GetReference(x);
        nuint i = 0, n = (nuint)x.Length;
        Vector512<double> first = Vector512<double>.Zero, second = first, third = first, fourth = first;
        for (; i + 32 <= n; i += 32)
        {
            first += Widen(Vector256.Abs(Vector256.LoadUnsafe(ref from, i)));
            second += Widen(Vector256.Abs(Vector256.LoadUnsafe(ref from, i + 8)));
            third += Widen(Vector256.Abs(Vector256.LoadUnsafe(ref from, i + 16)));
            fourth += Widen(Vector256.Abs(Vector256.LoadUnsafe(ref from, i + 24)));
        }
        for (; i + 8 <= n; i += 8) first += Widen(Vector256.Abs(Vector256.LoadUnsafe(ref from, i)));
        double sum = Add(first + second + (third + fourth));
        for (; i < n; i++) sum += Math.Abs((double)x[(int)i]);
        return sum;
    }

    /// <summary>sum_i += x_i y_i.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddProducts(ReadOnlySpan<float> x, ReadOnlySpan<float> y, Span<double> sum)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sum.Length, x.Length);
        ref float left = ref MemoryMarshal.GetReference(x), right = ref MemoryMarshal.GetReference(y);
        ref double to = ref MemoryMarshal.GetReference(sum);
        nuint i = 0, n = (nuint)x.Length;
        for (; i + 8 <= n; i += 8)
            (Vector512.LoadUnsafe(ref to, i) + Widen(Vector256.LoadUnsafe(ref left, i)) * Widen(Vector256.LoadUnsafe(ref right, i))).StoreUnsafe(ref to, i);
        for (; i < n; i++) sum[(int)i] += (double)x[(int)i] * y[(int)i];
    }

    /// <summary>y_i = Σ (x_mi − mean)² / M, mean = Σ x_mi / M, over M arrays; the mean of equal numbers is that number.</summary>
    /// <param name="arrays">Arrays of at least the length of y.</param>
    /// <param name="which">Which of them are summed over, in this order.</param>
    /// <param name="y">The variances, rounded once from float64.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Variances(ReadOnlySpan<float[]> arrays, ReadOnlySpan<int> which, Span<float> y)
    {
        foreach (int m in which) ArgumentOutOfRangeException.ThrowIfLessThan(arrays[m].Length, y.Length);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)y.Length;
        double count = which.Length;
        // A division by a power of two is a multiplication.
        bool exact = System.Numerics.BitOperations.IsPow2(which.Length);
        Vector512<double> divisor = Vector512.Create(count), factor = Vector512.Create(1 / count);
        for (; i + 8 <= n; i += 8)
        {
            var mean = Vector512<double>.Zero;
            foreach (int m in which) mean += Widen(Vector256.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(arrays[m]), i));
            mean = exact ? mean * factor : mean / divisor;
            var squares = Vector512<double>.Zero;
            foreach (int m in which)
            {
                var difference = Widen(Vector256.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(arrays[m]), i)) - mean;
                squares += difference * difference;
            }
            squares = exact ? squares * factor : squares / divisor;
            Vector256.Narrow(squares.GetLower(), squares.GetUpper()).StoreUnsafe(ref to, i);
        }
        for (; i < n; i++)
        {
            double mean = 0, squares = 0;
            foreach (int m in which) mean += arrays[m][i];
            mean /= count;
            foreach (int m in which) squares += (arrays[m][i] - mean) * (arrays[m][i] - mean);
            y[(int)i] = (float)(squares / count);
        }
    }

    /// <summary>The values as float64, exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Widen(Vector256<float> values)
    {
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Double(values);
        var (low, high) = Vector256.Widen(values);
        return Vector512.Create(low, high);
    }

    /// <summary>The lanes, added in their order.</summary>
    public static double Add(Vector512<double> lanes)
    {
        double sum = 0;
        for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
        return sum;
    }
}
