using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Softmax and what is measured on it, in float64 or, where that does as well, in float32 with sums in float64. Exponential and logarithm are
/// polynomials of the vector's lanes: the same bits at every vector width; those in float64 are good to about 1e-15.
/// </summary>
static class Softmax
{
    const double Floor = 1e-8;
    const float Near = 0.25f, Small = 32;
    const int MostKept = 8192;      // exponentials that find room on the stack; those of longer rows are computed twice
    const int Block = 256;          // values whose float32 sums go to those in float64 together

    /// <summary>
    /// Σ p ln(p / q), p = softmax(x) + 1e-8, q = softmax(y) + 1e-8: to about 1e-6 of it or 1e-15 where no y is further than ¼ from its x. Values
    /// are float32 or bfloat16.
    /// </summary>
    public static double Divergence<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> y) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        if (x.Length == 1) return 0;
        int room = x.Length + 15;
        float[] rented = ArrayPool<float>.Shared.Rent(2 * room);
        Span<float> first = rented.AsSpan(0, room), second = rented.AsSpan(room, room);
        double divergence = DivergenceOfNear(x, y, 0, Small, first, second);
        if (double.IsNaN(divergence))
        {
            Lanes<T>.Widen(x, first[..x.Length]);
            divergence = DivergenceOfNear(x, y, Largest(first[..x.Length]), float.PositiveInfinity, first, second);
        }
        if (double.IsNaN(divergence))
        {
            Lanes<T>.Widen(x, first[..x.Length]);
            Lanes<T>.Widen(y, second[..x.Length]);
            divergence = DivergenceOfAny(first[..x.Length], second[..x.Length]);
        }
        ArrayPool<float>.Shared.Return(rented);
        return divergence;
    }

    // Both sums of probabilities are the same, so Σ p ln(p / q) = Σ p (t − ln(1 + t)), t = q / p − 1: nothing cancels, and float32 will do. Exponentials are
    // those of x − shift; NaN where one of these is beyond the limit, or a y is not near its x.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double DivergenceOfNear<T>(
        ReadOnlySpan<T> x, ReadOnlySpan<T> y, float shift, float limit, Span<float> exponentials, Span<float> growths) where T : unmanaged
    {
        ref float exponential = ref MemoryMarshal.GetReference(exponentials), growth = ref MemoryMarshal.GetReference(growths);
        ref T left = ref MemoryMarshal.GetReference(x), right = ref MemoryMarshal.GetReference(y);
        Span<T> lastX = stackalloc T[16], lastY = stackalloc T[16];     // the last lanes are those of equal values, and left out of the sums
        int tail = x.Length & ~15;
        x[tail..].CopyTo(lastX);
        y[tail..].CopyTo(lastY);
        Vector512<int> magnitude = Vector512.Create(0x7FFF_FFFF), farthest = Vector512<int>.Zero, largest = farthest;
        Vector512<double> sum1 = Vector512<double>.Zero, sum2 = sum1, grown1 = sum1, grown2 = sum1;
        for (int block = 0; block < x.Length; block += Block)
        {
            Vector512<float> sum = Vector512<float>.Zero, grown = sum;
            for (int i = block, end = Math.Min(block + Block, x.Length); i < end; i += 16)
            {
                var value = i == tail ? Lanes<T>.Sixteen(ref MemoryMarshal.GetReference(lastX), 0) : Lanes<T>.Sixteen(ref left, (nuint)i);
                var difference = (i == tail ? Lanes<T>.Sixteen(ref MemoryMarshal.GetReference(lastY), 0) : Lanes<T>.Sixteen(ref right, (nuint)i)) - value;
                value -= Vector512.Create(shift);
                largest = Vector512.Max(largest, value.AsInt32() & magnitude);
                farthest = Vector512.Max(farthest, difference.AsInt32() & magnitude);
                var e = Exp(value);
                if (i == tail) e &= Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(x.Length - i)).AsSingle();
                var grows = ExpMinusOne(difference);
                e.StoreUnsafe(ref exponential, (nuint)i);
                grows.StoreUnsafe(ref growth, (nuint)i);
                sum += e;
                grown = Vector512.FusedMultiplyAdd(e, grows, grown);
            }
            AddTo(sum, ref sum1, ref sum2);
            AddTo(grown, ref grown1, ref grown2);
        }
        // Magnitudes compare as the integers of their bits, and every NaN above every number.
        if (Vector512.GreaterThanAny(largest, Vector512.Create(limit).AsInt32()) || Vector512.GreaterThanAny(farthest, Vector512.Create(Near).AsInt32()))
            return double.NaN;
        double all = Add(sum1 + sum2), more = Add(grown1 + grown2);
        var (scale, ratio, floor) = (Vector512.Create((float)(1 / all)), Vector512.Create((float)(-more / (all + more))), Vector512.Create((float)Floor));
        Vector512<double> terms1 = Vector512<double>.Zero, terms2 = terms1;
        for (int block = 0; block < x.Length; block += Block)
        {
            var terms = Vector512<float>.Zero;
            for (int i = block, end = Math.Min(block + Block, x.Length); i < end; i += 16)
            {
                var grows = Vector512.LoadUnsafe(ref growth, (nuint)i);
                var p = Vector512.LoadUnsafe(ref exponential, (nuint)i) * scale;
                var difference = p * Vector512.FusedMultiplyAdd(ratio, Vector512<float>.One + grows, grows);     // q − p
                p += floor;
                p += p;
                var s = difference / (p + difference);      // t / (2 + t): ln(1 + t) = 2 (s + s³ / 3 + s⁵ / 5 + …)
                var square = s * s;
                var series = Vector512.FusedMultiplyAdd(Vector512.Create(1 / 11f), square, Vector512.Create(1 / 9f));
                series = Vector512.FusedMultiplyAdd(series, square, Vector512.Create(1 / 7f));
                series = Vector512.FusedMultiplyAdd(series, square, Vector512.Create(1 / 5f));
                series = Vector512.FusedMultiplyAdd(series, square, Vector512.Create(1 / 3f));
                terms = Vector512.FusedMultiplyAdd(s, Vector512.FusedMultiplyAdd(-(p * square), series, difference), terms);
            }
            AddTo(terms, ref terms1, ref terms2);
        }
        return Add(terms1 + terms2);
    }

    // e^x − 1 for x between −¼ and ¼, to about 1e-7 of it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> ExpMinusOne(Vector512<float> x)
    {
        var sum = Vector512.FusedMultiplyAdd(Vector512.Create(1 / 720f), x, Vector512.Create(1 / 120f));
        sum = Vector512.FusedMultiplyAdd(sum, x, Vector512.Create(1 / 24f));
        sum = Vector512.FusedMultiplyAdd(sum, x, Vector512.Create(1 / 6f));
        sum = Vector512.FusedMultiplyAdd(sum, x, Vector512.Create(0.5f));
        return Vector512.FusedMultiplyAdd(sum, x * x, x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void AddTo(Vector512<float> values, ref Vector512<double> lower, ref Vector512<double> upper)
    {
        lower += Sums.Widen(values.GetLower());
        upper += Sums.Widen(values.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double DivergenceOfAny(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        double largestX = Largest(x), largestY = Largest(y);
        int kept = x.Length <= MostKept ? x.Length + 7 : 0;
        Span<double> exponentialsX = stackalloc double[kept], exponentialsY = stackalloc double[kept];
        double scaleX = 1 / SumOfExponentials(x, largestX, exponentialsX), scaleY = 1 / SumOfExponentials(y, largestY, exponentialsY);
        var sum = Vector512<double>.Zero;
        for (int i = 0; i < x.Length; i += 8)
        {
            var p = (kept > 0 ? Vector512.Create<double>(exponentialsX.Slice(i, 8)) : Exp(Load(x, i, largestX))) * Vector512.Create(scaleX) + Vector512.Create(Floor);
            var q = (kept > 0 ? Vector512.Create<double>(exponentialsY.Slice(i, 8)) : Exp(Load(y, i, largestY))) * Vector512.Create(scaleY) + Vector512.Create(Floor);
            var terms = p * Log(p / q);
            sum += i + 8 <= x.Length ? terms : First(terms, x.Length - i);
        }
        return Add(sum);
    }

    // Σ exp(x_i − shift); where there is room the terms are kept.
    static double SumOfExponentials(ReadOnlySpan<float> x, double shift, Span<double> kept)
    {
        var sum = Vector512<double>.Zero;
        for (int i = 0; i < x.Length; i += 8)
        {
            var terms = Exp(Load(x, i, shift));
            if (kept.Length > 0) terms.CopyTo(kept[i..]);
            sum += i + 8 <= x.Length ? terms : First(terms, x.Length - i);
        }
        return Add(sum);
    }

    /// <summary>e^x for x up to 0, to 0 below −700.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Exp(Vector512<double> x)
    {
        const double Round = 6755399441055744.0;    // 1.5 · 2^52: adding it rounds to a whole number, which stands in the low bits
        const double LogHigh = 0.693147180369123816490, LogLow = 1.90821492927058770002e-10;
        var shifted = x * Vector512.Create(1.4426950408889634074) + Vector512.Create(Round);
        var whole = shifted - Vector512.Create(Round);
        var r = x - whole * Vector512.Create(LogHigh) - whole * Vector512.Create(LogLow);
        var sum = Vector512.Create(1 / 6227020800.0);
        sum = sum * r + Vector512.Create(1 / 479001600.0);
        sum = sum * r + Vector512.Create(1 / 39916800.0);
        sum = sum * r + Vector512.Create(1 / 3628800.0);
        sum = sum * r + Vector512.Create(1 / 362880.0);
        sum = sum * r + Vector512.Create(1 / 40320.0);
        sum = sum * r + Vector512.Create(1 / 5040.0);
        sum = sum * r + Vector512.Create(1 / 720.0);
        sum = sum * r + Vector512.Create(1 / 120.0);
        sum = sum * r + Vector512.Create(1 / 24.0);
        sum = sum * r + Vector512.Create(1 / 6.0);
        sum = sum * r + Vector512.Create(0.5);
        sum = sum * r + Vector512.Create(1.0);
        sum = sum * r + Vector512.Create(1.0);
        var power = (sum.AsInt64() + Vector512.ShiftLeft(shifted.AsInt64(), 52)).AsDouble();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-700.0)), Vector512<double>.Zero, power);
    }

    /// <summary>
    /// e^x in float32 for x up to 88, to 0 below −87; good to two units in the last place. With fused multiply-add, which every width
    /// rounds alike.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        const float Round = 12582912f;              // 1.5 · 2^23: adding it rounds to a whole number, which stands in the low bits
        const float LogHigh = 0.693359375f, LogLow = -2.12194440e-4f;
        var shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504f), Vector512.Create(Round));
        var whole = shifted - Vector512.Create(Round);
        var r = Vector512.FusedMultiplyAdd(whole, Vector512.Create(-LogHigh), x);
        r = Vector512.FusedMultiplyAdd(whole, Vector512.Create(-LogLow), r);
        var sum = Vector512.Create(1 / 720f);
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1 / 120f));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1 / 24f));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1 / 6f));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(0.5f));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512<float>.One);
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512<float>.One);
        // By a product, which keeps a NaN.
        var power = Vector512.ShiftLeft(shifted.AsInt32() + Vector512.Create(127), 23).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87f)), Vector512<float>.Zero, sum * power);
    }

    /// <summary>ln x for positive normal numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Log(Vector512<double> x)
    {
        const long Root = 0x3FE6_A09E_667F_3BCD;    // bits of √½: the mantissa is taken from there to √2
        const double Whole = 6755399441055744.0;
        var exponent = Vector512.ShiftRightArithmetic(x.AsInt64() - Vector512.Create(Root), 52);
        var mantissa = (x.AsInt64() - Vector512.ShiftLeft(exponent, 52)).AsDouble();
        var power = (exponent + Vector512.Create(Whole).AsInt64()).AsDouble() - Vector512.Create(Whole);
        var s = (mantissa - Vector512<double>.One) / (mantissa + Vector512<double>.One);
        var square = s * s;
        var sum = Vector512.Create(1 / 21.0);
        for (int odd = 19; odd >= 1; odd -= 2) sum = sum * square + Vector512.Create(1.0 / odd);
        return power * Vector512.Create(0.693147180559945309417) + (s + s) * sum;
    }

    static float Largest(ReadOnlySpan<float> x)
    {
        ref float from = ref MemoryMarshal.GetReference(x);
        nuint i = 0, n = (nuint)x.Length;
        float largest = float.NegativeInfinity;
        if (Vector128.IsHardwareAccelerated && n >= 16)
        {
            var lanes = Vector512.Create(largest);
            for (; i + 16 <= n; i += 16) lanes = Vector512.Max(lanes, Vector512.LoadUnsafe(ref from, i));
            for (int lane = 0; lane < Vector512<float>.Count; lane++) largest = Math.Max(largest, lanes[lane]);
        }
        for (; i < n; i++) largest = Math.Max(largest, x[(int)i]);
        return largest;
    }

    static Vector512<double> Load(ReadOnlySpan<float> x, int i, double shift)
    {
        var eight = i + 8 <= x.Length ? Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(x), (nuint)i) : Last(x, i);
        var (low, high) = Vector256.Widen(eight);
        return Vector512.Create(low, high) - Vector512.Create(shift);
    }

    // The last lanes repeat the last value where there are fewer than eight.
    static Vector256<float> Last(ReadOnlySpan<float> x, int i)
    {
        Span<float> last = stackalloc float[8];
        last.Fill(x[^1]);
        x[i..].CopyTo(last);
        return Vector256.Create<float>(last);
    }

    static Vector512<double> First(Vector512<double> lanes, int count) =>
        Vector512.ConditionalSelect(Vector512.LessThan(Vector512<long>.Indices, Vector512.Create((long)count)).AsDouble(), lanes, Vector512<double>.Zero);

    static double Add(Vector512<double> lanes)
    {
        double sum = 0;
        for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
        return sum;
    }
}
