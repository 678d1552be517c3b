using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// The upper sixteen bits of a 32-bit float. Name and meaning as System.Numerics.BFloat16 of .NET 11, so that it can be replaced by it.
/// </summary>
/// <param name="Bits">Sign, eight exponent bits, seven mantissa bits.</param>
public readonly record struct BFloat16(ushort Bits)
{
    const ushort Magnitude = 0x7FFF, Infinity = 0x7F80;

    /// <summary>Exact.</summary>
    public static explicit operator float(BFloat16 value) => BitConverter.UInt32BitsToSingle((uint)value.Bits << 16);

    /// <summary>Rounds to nearest, ties to even; overflow gives an infinity, NaN gives the quiet NaN 0x7FC0.</summary>
    public static explicit operator BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if ((bits & 0x7FFF_FFFF) > 0x7F80_0000) return new BFloat16(0x7FC0);
        return new BFloat16((ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
    }

    /// <summary>Widens <paramref name="source"/> into <paramref name="destination"/> of the same length; exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToSingle(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref uint to = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(destination));
        nuint i = 0, n = (nuint)source.Length;
        if (Vector256.IsHardwareAccelerated)
        {
            // 256 bits also where 512 are to be had: the two shuffles of a 512-bit widening cost more than they save (measured on Zen 4).
            for (; i + 16 <= n; i += 16)
            {
                var (low, high) = Vector256.Widen(Vector256.LoadUnsafe(ref from, i));
                (low << 16).StoreUnsafe(ref to, i);
                (high << 16).StoreUnsafe(ref to, i + 8);
            }
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            for (; i + 8 <= n; i += 8)
            {
                var (low, high) = Vector128.Widen(Vector128.LoadUnsafe(ref from, i));
                (low << 16).StoreUnsafe(ref to, i);
                (high << 16).StoreUnsafe(ref to, i + 4);
            }
        }
        for (; i < n; i++) Unsafe.Add(ref to, i) = (uint)Unsafe.Add(ref from, i) << 16;
    }

    /// <summary>Rounds <paramref name="source"/> into <paramref name="destination"/> of the same length, each as the explicit conversion does.</summary>
    /// <returns>True where no result is a NaN or an infinity.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool FromSingle(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        ref uint from = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(source));
        ref ushort to = ref MemoryMarshal.GetReference(destination);
        nuint i = 0, n = (nuint)source.Length;
        bool finite = true;
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512<ushort> magnitude = Vector512.Create(Magnitude), largest = Vector512<ushort>.Zero;
            for (; i + 32 <= n; i += 32)
            {
                var rounded = Vector512.Narrow(Round(Vector512.LoadUnsafe(ref from, i)), Round(Vector512.LoadUnsafe(ref from, i + 16)));
                rounded.StoreUnsafe(ref to, i);
                largest = Vector512.Max(largest, rounded & magnitude);
            }
            finite = Vector512.LessThanAll(largest, Vector512.Create(Infinity));
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Vector256<ushort> magnitude = Vector256.Create(Magnitude), largest = Vector256<ushort>.Zero;
            for (; i + 16 <= n; i += 16)
            {
                var rounded = Vector256.Narrow(Round(Vector256.LoadUnsafe(ref from, i)), Round(Vector256.LoadUnsafe(ref from, i + 8)));
                rounded.StoreUnsafe(ref to, i);
                largest = Vector256.Max(largest, rounded & magnitude);
            }
            finite = Vector256.LessThanAll(largest, Vector256.Create(Infinity));
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            Vector128<ushort> magnitude = Vector128.Create(Magnitude), largest = Vector128<ushort>.Zero;
            for (; i + 8 <= n; i += 8)
            {
                var rounded = Vector128.Narrow(Round(Vector128.LoadUnsafe(ref from, i)), Round(Vector128.LoadUnsafe(ref from, i + 4)));
                rounded.StoreUnsafe(ref to, i);
                largest = Vector128.Max(largest, rounded & magnitude);
            }
            finite = Vector128.LessThanAll(largest, Vector128.Create(Infinity));
        }
        for (; i < n; i++)
        {
            ushort bits = ((BFloat16)source[(int)i]).Bits;
            Unsafe.Add(ref to, i) = bits;
            finite &= (bits & Magnitude) < Infinity;
        }
        return finite;
    }

    /// <summary>True where no value is a NaN or an infinity.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static bool AreFinite(ReadOnlySpan<BFloat16> values)
    {
        ref ushort from = ref Unsafe.As<BFloat16, ushort>(ref MemoryMarshal.GetReference(values));
        nuint i = 0, n = (nuint)values.Length;
        ushort largest = 0;
        if (Vector128.IsHardwareAccelerated && n >= 32)
        {
            var lanes = Vector512<ushort>.Zero;
            for (; i + 32 <= n; i += 32) lanes = Vector512.Max(lanes, Vector512.LoadUnsafe(ref from, i) & Vector512.Create(Magnitude));
            for (int lane = 0; lane < Vector512<ushort>.Count; lane++) largest = Math.Max(largest, lanes[lane]);
        }
        for (; i < n; i++) largest = Math.Max(largest, (ushort)(Unsafe.Add(ref from, i) & Magnitude));
        return largest < Infinity;
    }

    // Adding 0x7FFF and the lowest kept bit carries into the kept half exactly when round-to-nearest-even says so; NaN is set apart, since
    // the carry could turn it into an infinity.
    static Vector512<uint> Round(Vector512<uint> bits)
    {
        var rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512<uint>.One)) >> 16;
        var isNaN = Vector512.GreaterThan(bits & Vector512.Create(0x7FFF_FFFFu), Vector512.Create(0x7F80_0000u));
        return Vector512.ConditionalSelect(isNaN, Vector512.Create(0x7FC0u), rounded);
    }

    static Vector256<uint> Round(Vector256<uint> bits)
    {
        var rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >> 16) & Vector256<uint>.One)) >> 16;
        var isNaN = Vector256.GreaterThan((bits & Vector256.Create(0x7FFF_FFFFu)).AsInt32(), Vector256.Create(0x7F80_0000)).AsUInt32();
        return Vector256.ConditionalSelect(isNaN, Vector256.Create(0x7FC0u), rounded);
    }

    static Vector128<uint> Round(Vector128<uint> bits)
    {
        var rounded = (bits + Vector128.Create(0x7FFFu) + ((bits >> 16) & Vector128<uint>.One)) >> 16;
        var isNaN = Vector128.GreaterThan((bits & Vector128.Create(0x7FFF_FFFFu)).AsInt32(), Vector128.Create(0x7F80_0000)).AsUInt32();
        return Vector128.ConditionalSelect(isNaN, Vector128.Create(0x7FC0u), rounded);
    }
}
