using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Softmax and what is measured on it, in float64 from float32 values. Exponential and logarithm are polynomials of the vector's lanes, without
/// fused multiply-add: the same bits at every vector width; both are good to about 1e-15.
/// </summary>
static class Softmax
{
    const double Floor = 1e-8;
    const int MostKept = 8192;      // exponentials that find room on the stack; those of longer rows are computed twice

    /// <summary>Σ p ln(p / q), p = softmax(x) + 1e-8, q = softmax(y) + 1e-8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Divergence(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
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
