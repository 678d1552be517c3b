using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Comparing float32 values by magnitude. The key of a value is its bits without the sign: keys compare as magnitudes do, and subnormals, both
/// zeros and infinities need no special case.
/// </summary>
static class Magnitudes
{
    const int Mask = 0x7FFF_FFFF;

    /// <summary>Bins of <see cref="CountHigh"/>: the sign-less upper half of a float32, that is eight bits of exponent and seven of mantissa.</summary>
    public const int HighBins = 1 << 15;

    /// <summary>Bins of <see cref="CountLow"/>: the lower half of a float32.</summary>
    public const int LowBins = 1 << 16;

    /// <summary>Bits of a value without the sign.</summary>
    public static int Key(float value) => BitConverter.SingleToInt32Bits(value) & Mask;

    /// <summary>Counts each value in the bin of the upper half of its key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CountHigh(ReadOnlySpan<float> values, Span<long> bins)
    {
        ref long bin = ref MemoryMarshal.GetReference(bins[..HighBins]);
        foreach (int bits in MemoryMarshal.Cast<float, int>(values)) Unsafe.Add(ref bin, (bits & Mask) >> 16)++;
    }

    /// <summary>Counts the values whose upper half is <paramref name="high"/> in the bin of the lower half of their key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CountLow(ReadOnlySpan<float> values, int high, Span<long> bins)
    {
        ref int from = ref Bits(values);
        nuint i = 0, n = (nuint)values.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var (mask, wanted) = (Vector512.Create(Mask), Vector512.Create(high));
            for (; i + 16 <= n; i += 16)
            {
                var equal = Vector512.Equals(Vector512.ShiftRightLogical(Vector512.LoadUnsafe(ref from, i) & mask, 16), wanted);
                for (ulong hits = equal.ExtractMostSignificantBits(); hits != 0; hits &= hits - 1)
                    bins[Unsafe.Add(ref from, i + (nuint)System.Numerics.BitOperations.TrailingZeroCount(hits)) & 0xFFFF]++;
            }
        }
        for (; i < n; i++)
        {
            int bits = Unsafe.Add(ref from, i);
            if ((bits & Mask) >> 16 == high) bins[bits & 0xFFFF]++;
        }
    }

    /// <summary>How many values have the key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int CountEqual(ReadOnlySpan<float> values, int key)
    {
        ref int from = ref Bits(values);
        nuint i = 0, n = (nuint)values.Length;
        int count = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            var (mask, wanted, lanes) = (Vector512.Create(Mask), Vector512.Create(key), Vector512<int>.Zero);
            for (; i + 16 <= n; i += 16) lanes -= Vector512.Equals(Vector512.LoadUnsafe(ref from, i) & mask, wanted);
            count = Vector512.Sum(lanes);
        }
        for (; i < n; i++) count += (Unsafe.Add(ref from, i) & Mask) == key ? 1 : 0;
        return count;
    }

    /// <summary>How many values have a lesser key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int CountBelow(ReadOnlySpan<float> values, int key)
    {
        ref int from = ref Bits(values);
        nuint i = 0, n = (nuint)values.Length;
        int count = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            var (mask, limit, lanes) = (Vector512.Create(Mask), Vector512.Create(key), Vector512<int>.Zero);
            for (; i + 16 <= n; i += 16) lanes -= Vector512.LessThan(Vector512.LoadUnsafe(ref from, i) & mask, limit);
            count = Vector512.Sum(lanes);
        }
        for (; i < n; i++) count += (Unsafe.Add(ref from, i) & Mask) < key ? 1 : 0;
        return count;
    }

    /// <summary>The position after the value that is the <paramref name="count"/>th with that key; 0 for none of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int After(ReadOnlySpan<float> values, int key, long count)
    {
        if (count == 0) return 0;
        for (int i = 0; i < values.Length; i++)
            if (Key(values[i]) == key && --count == 0) return i + 1;
        return values.Length;
    }

    /// <summary>Sets to 0 the targets beside keys above <paramref name="limit"/>, or beside those up to it; they may be the values themselves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Clear(ReadOnlySpan<float> values, int limit, bool above, Span<float> targets)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(targets.Length, values.Length);
        ref int from = ref Bits(values);
        ref int to = ref Bits(targets);
        nuint i = 0, n = (nuint)values.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var (mask, edge, flip) = (Vector512.Create(Mask), Vector512.Create(limit), above ? Vector512<int>.AllBitsSet : Vector512<int>.Zero);
            for (; i + 16 <= n; i += 16)
            {
                var keep = Vector512.GreaterThan(Vector512.LoadUnsafe(ref from, i) & mask, edge) ^ flip;
                (Vector512.LoadUnsafe(ref to, i) & keep).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
            if ((Unsafe.Add(ref from, i) & Mask) > limit == above) Unsafe.Add(ref to, i) = 0;
    }

    static ref int Bits(ReadOnlySpan<float> values) => ref Unsafe.As<float, int>(ref MemoryMarshal.GetReference(values));
}
