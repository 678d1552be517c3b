using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Recall.Numerics;

/// <summary>
/// Comparing float32 values by magnitude. The key of a value is its bits without the sign: keys compare as magnitudes do, and subnormals, both
/// zeros and infinities need no special case.
/// </summary>
static class Magnitudes
{
    const int Mask = 0x7FFF_FFFF, Infinity = 0x7F80_0000;

    /// <summary>Bins of <see cref="CountHigh"/>: the sign-less upper half of a float32, that is eight bits of exponent and seven of mantissa.</summary>
    public const int HighBins = 1 << 15;

    /// <summary>Bins of <see cref="CountLow"/>: the lower half of a float32.</summary>
    public const int LowBins = 1 << 16;

    /// <summary>Bits of a value without the sign.</summary>
    public static int Key(float value) => BitConverter.SingleToInt32Bits(value) & Mask;

    /// <summary>Counts each value in the bin of the upper half of its key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CountHigh<TValues>(TValues values, Span<long> bins) where TValues : IValues<TValues>, allows ref struct
    {
        ref long bin = ref MemoryMarshal.GetReference(bins[..HighBins]);
        for (nuint i = 0; i < (nuint)values.Length; i++) Unsafe.Add(ref bin, Key(values.One(i)) >> 16)++;
    }

    /// <summary>Counts the values whose upper half is <paramref name="high"/> in the bin of the lower half of their key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CountLow<TValues>(TValues values, int high, Span<long> bins) where TValues : IValues<TValues>, allows ref struct
    {
        nuint i = 0, n = (nuint)values.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            var wanted = Vector512.Create(high);
            for (; i + 16 <= n; i += 16)
            {
                var equal = Vector512.Equals(Vector512.ShiftRightLogical(Keys(values.Sixteen(i)), 16), wanted);
                for (ulong hits = equal.ExtractMostSignificantBits(); hits != 0; hits &= hits - 1)
                    bins[Key(values.One(i + (nuint)BitOperations.TrailingZeroCount(hits))) & 0xFFFF]++;
            }
        }
        for (; i < n; i++)
        {
            int key = Key(values.One(i));
            if (key >> 16 == high) bins[key & 0xFFFF]++;
        }
    }

    /// <summary>Counts each key from <paramref name="low"/> on in the bin of (key − low) / 2^<paramref name="shift"/>, if there is such a bin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CountDigits(ReadOnlySpan<int> keys, int low, int shift, Span<long> bins)
    {
        foreach (int key in keys)
        {
            uint digit = (uint)(key - low) >> shift;
            if (digit < (uint)bins.Length) bins[(int)digit]++;
        }
    }

    /// <summary>
    /// How many values have a key below <paramref name="low"/>, and how many one from there to <paramref name="high"/>: those keys come out, in their
    /// order. Without <paramref name="round"/> keys whose lower half is 0 are left out of the second. Third, how many are 0;
    /// last, whether no value is a NaN or an infinity.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (int Below, int Within, int Zeros, bool Finite) Collect<TValues>(TValues values, int low, int high, bool round, Span<int> keys)
        where TValues : IValues<TValues>, allows ref struct
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keys.Length, values.Length);
        ref int to = ref MemoryMarshal.GetReference(keys);
        nuint i = 0, n = (nuint)values.Length;
        int below = 0, within = 0, zeros = 0;
        bool finite = true;
        if (Vector128.IsHardwareAccelerated)
        {
            var (least, width, halves) = (Vector512.Create(low), Vector512.Create((uint)(high - low)), Vector512.Create(0xFFFF));
            Vector512<int> lanes = Vector512<int>.Zero, nonzero = lanes, largest = lanes;
            for (; i + 16 <= n; i += 16)
            {
                var key = Keys(values.Sixteen(i));
                var distance = key - least;
                lanes += distance >>> 31;
                nonzero += Vector512.Min(key, Vector512<int>.One);
                largest = Vector512.Max(largest, key);
                if (!round) distance |= Vector512.Equals(key & halves, Vector512<int>.Zero);
                var taken = Vector512.LessThanOrEqual(distance.AsUInt32(), width).AsInt32();
                ulong bits = taken.ExtractMostSignificantBits();
                if (Avx512F.IsSupported)
                {
                    Avx512F.Compress(Vector512<int>.Zero, taken, key).StoreUnsafe(ref to, (nuint)within);
                    within += BitOperations.PopCount(bits);
                }
                else
                    for (; bits != 0; bits &= bits - 1) Unsafe.Add(ref to, within++) = Key(values.One(i + (nuint)BitOperations.TrailingZeroCount(bits)));
            }
            (below, zeros) = (Vector512.Sum(lanes), (int)i - Vector512.Sum(nonzero));
            finite = Vector512.LessThanAll(largest, Vector512.Create(Infinity));
        }
        for (; i < n; i++)
        {
            int key = Key(values.One(i));
            if (key == 0) zeros++;
            if (key >= Infinity) finite = false;
            if (key < low) below++;
            else if (key <= high && (round || (key & 0xFFFF) != 0)) Unsafe.Add(ref to, within++) = key;
        }
        return (below, within, zeros, finite);
    }

    /// <summary>
    /// As the other, where few keys lie in a range of whole upper halves: those halves are compared, 32 at a time, and the keys of what is in the range
    /// are computed once more. Keys come out in any order, and zeros may go uncounted; where there are no instructions for that, the other does it.
    /// </summary>
    [SkipLocalsInit]
    public static (int Below, int Within, int Zeros, bool Finite) CollectFew<TValues>(TValues values, int low, int high, bool zeros, Span<int> keys)
        where TValues : IValues<TValues>, allows ref struct
    {
        const int Most = 1 << 13;   // their places lie on the stack, in sixteen bits each
        int whole = values.Length & ~31;
        if (!Avx512Vbmi2.IsSupported || values.Length > Most || (low & 0xFFFF) != 0 || (high & 0xFFFF) != 0xFFFF)
            return Collect(values, low, high, round: true, keys);
        ArgumentOutOfRangeException.ThrowIfLessThan(keys.Length, values.Length);
        Span<ushort> places = stackalloc ushort[whole + 32];
        var (below, within, none, finite) = PlacesOfFew(values.Slice(0, whole), (ushort)(low >> 16), (ushort)(high >> 16), zeros, places);
        KeysAt(values, places[..within], keys);
        var rest = Collect(values.Slice(whole, values.Length - whole), low, high, round: true, keys[within..]);
        return (below + rest.Below, within + rest.Within, none + rest.Zeros, finite && rest.Finite);
    }

    // No calls beside the loop: its vectors would not stay in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static (int Below, int Within, int Zeros, bool Finite) PlacesOfFew<TValues>(TValues values, ushort low, ushort high, bool zeros, Span<ushort> places)
        where TValues : IValues<TValues>, allows ref struct
    {
        ref ushort to = ref MemoryMarshal.GetReference(places);
        nuint within = 0, n = (nuint)values.Length;
        var (least, width) = (Vector512.Create(low), Vector512.Create((ushort)(high - low)));
        Vector512<ushort> below = Vector512<ushort>.Zero, nonzero = below, largest = below, at = TValues.Order;
        for (nuint i = 0; i < n; i += 32)
        {
            var (first, second) = values.Pair(i);
            Vector512<uint> a = first.AsUInt32(), b = second.AsUInt32(), upper = Vector512.Create(0xFFFF_0000);
            var key = (a >>> 16 | b & upper).AsUInt16() & Vector512.Create((ushort)0x7FFF);
            var distance = key - least;
            below += distance >>> 15;
            if (zeros) nonzero += Vector512.Min((a & ~upper | b << 16).AsUInt16() | key, Vector512<ushort>.One);
            largest = Vector512.Max(largest, key);
            var taken = Vector512.LessThanOrEqual(distance, width);
            Avx512Vbmi2.Compress(Vector512<ushort>.Zero, taken, at).StoreUnsafe(ref to, within);
            within += (nuint)BitOperations.PopCount(taken.ExtractMostSignificantBits());
            at += Vector512.Create((ushort)32);
        }
        return (Total(below), (int)within, zeros ? (int)n - Total(nonzero) : 0, Vector512.LessThanAll(largest, Vector512.Create((ushort)(Infinity >> 16))));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void KeysAt<TValues>(TValues values, ReadOnlySpan<ushort> places, Span<int> keys) where TValues : IValues<TValues>, allows ref struct
    {
        ref int to = ref MemoryMarshal.GetReference(keys[..places.Length]);
        for (int k = 0; k < places.Length; k++) Unsafe.Add(ref to, k) = Key(values.One(places[k]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static int Total(Vector512<ushort> counts)
    {
        var (low, high) = Vector512.Widen(counts);
        return (int)Vector512.Sum(low + high);
    }

    /// <summary>How many values have the key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int CountEqual<TValues>(TValues values, int key) where TValues : IValues<TValues>, allows ref struct
    {
        nuint i = 0, n = (nuint)values.Length;
        int count = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            var (wanted, lanes) = (Vector512.Create(key), Vector512<int>.Zero);
            for (; i + 16 <= n; i += 16) lanes -= Vector512.Equals(Keys(values.Sixteen(i)), wanted);
            count = Vector512.Sum(lanes);
        }
        for (; i < n; i++) count += Key(values.One(i)) == key ? 1 : 0;
        return count;
    }

    /// <summary>The position after the value that is the <paramref name="count"/>th with that key; 0 for none of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int After<TValues>(TValues values, int key, long count) where TValues : IValues<TValues>, allows ref struct
    {
        if (count == 0) return 0;
        for (int i = 0; i < values.Length; i++)
            if (Key(values.One((nuint)i)) == key && --count == 0) return i + 1;
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> Keys(Vector512<float> values) => values.AsInt32() & Vector512.Create(Mask);

    static ref int Bits(ReadOnlySpan<float> values) => ref Unsafe.As<float, int>(ref MemoryMarshal.GetReference(values));
}
