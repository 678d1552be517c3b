using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// What a transformer block does to a row between its matrix products, in place, in float32. With fused multiply-add and sums in sixteen
/// lanes on every machine: the same bits at every vector width.
/// </summary>
static class BlockRows
{
    /// <summary>x = x / √(mean(x²) + ε) · w (arXiv 1910.07467).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNorm(Span<float> x, ReadOnlySpan<float> weight, double epsilon)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(weight.Length, x.Length);
        ref float row = ref MemoryMarshal.GetReference(x), factors = ref MemoryMarshal.GetReference(weight);
        nuint i = 0, n = (nuint)x.Length;
        Vector512<float> first = default, second = default;
        for (; i + 32 <= n; i += 32)
        {
            Vector512<float> a = Vector512.LoadUnsafe(ref row, i), b = Vector512.LoadUnsafe(ref row, i + 16);
            first = Vector512.FusedMultiplyAdd(a, a, first);
            second = Vector512.FusedMultiplyAdd(b, b, second);
        }
        float squares = Sum(first + second);
        for (; i < n; i++) squares = MathF.FusedMultiplyAdd(x[(int)i], x[(int)i], squares);
        float scale = (float)(1 / Math.Sqrt((double)squares / x.Length + epsilon));
        for (i = 0; i + 16 <= n; i += 16)
            (Vector512.LoadUnsafe(ref row, i) * Vector512.Create(scale) * Vector512.LoadUnsafe(ref factors, i)).StoreUnsafe(ref row, i);
        for (; i < n; i++) x[(int)i] = x[(int)i] * scale * weight[(int)i];
    }

    /// <summary>gate = gate · sigmoid(gate) · up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SiluTimes(Span<float> gate, ReadOnlySpan<float> up)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(up.Length, gate.Length);
        ref float row = ref MemoryMarshal.GetReference(gate), factors = ref MemoryMarshal.GetReference(up);
        nuint i = 0, n = (nuint)gate.Length;
        for (; i + 16 <= n; i += 16) (Silu(Vector512.LoadUnsafe(ref row, i)) * Vector512.LoadUnsafe(ref factors, i)).StoreUnsafe(ref row, i);
        for (; i < n; i++) gate[(int)i] = Silu(Vector512.Create(gate[(int)i]))[0] * up[(int)i];
    }

    /// <summary>The sum of the lanes: halves are added until one is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> lanes)
    {
        var eight = lanes.GetLower() + lanes.GetUpper();
        var four = eight.GetLower() + eight.GetUpper();
        return four[0] + four[2] + (four[1] + four[3]);
    }

    // Beyond e^88 float32 is at its end: there the quotient is 0 in all but its last digits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Silu(Vector512<float> x) => x / (Vector512<float>.One + Softmax.Exp(Vector512.Min(-x, Vector512.Create(88f))));
}
