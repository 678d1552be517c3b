using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Sums over float32 values in float64. Element i goes to lane i mod 8, lanes are added in a fixed order, products are rounded before they are
/// added: the same bits at every vector width.
/// </summary>
static class Sums
{
    /// <summary>Σ x_i y_i.</summary>
    public static double Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref float left = ref MemoryMarshal.GetReference(x), right = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        var lanes = Vector512<double>.Zero;
        for (; i + 8 <= n; i += 8)
            lanes += Widen(Vector256.LoadUnsafe(ref left, i)) * Widen(Vector256.LoadUnsafe(ref right, i));
        double sum = Add(lanes);
        for (; i < n; i++) sum += (double)x[(int)i] * y[(int)i];
        return sum;
    }

    /// <summary>Σ |x_i|.</summary>
    public static double Magnitudes(ReadOnlySpan<float> x)
    {
        ref float from = ref MemoryMarshal.GetReference(x);
        nuint i = 0, n = (nuint)x.Length;
        var lanes = Vector512<double>.Zero;
        for (; i + 8 <= n; i += 8) lanes += Widen(Vector256.Abs(Vector256.LoadUnsafe(ref from, i)));
        double sum = Add(lanes);
        for (; i < n; i++) sum += Math.Abs((double)x[(int)i]);
        return sum;
    }

    static Vector512<double> Widen(Vector256<float> values)
    {
        var (low, high) = Vector256.Widen(values);
        return Vector512.Create(low, high);
    }

    static double Add(Vector512<double> lanes)
    {
        double sum = 0;
        for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
        return sum;
    }
}
