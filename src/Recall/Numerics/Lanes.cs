using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// The values of kernels that take their inputs as float32 or as the bfloat16 that lies in a file: <typeparamref name="T"/> is
/// <see cref="float"/> or <see cref="BFloat16"/>, which is widened in registers, exactly.
/// </summary>
static class Lanes<T> where T : unmanaged
{
    /// <summary>All values, as float32.</summary>
    public static void Widen(ReadOnlySpan<T> from, Span<float> to)
    {
        if (typeof(T) == typeof(float)) MemoryMarshal.Cast<T, float>(from).CopyTo(to);
        else BFloat16.ToSingle(MemoryMarshal.Cast<T, ushort>(from), to);
    }

    /// <summary>One value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float One(ref T from, nuint at)
    {
        var value = Unsafe.Add(ref from, at);
        return typeof(T) == typeof(BFloat16) ? (float)Unsafe.BitCast<T, BFloat16>(value) : Unsafe.BitCast<T, float>(value);
    }

    /// <summary>Eight values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Eight(ref T from, nuint at)
    {
        if (typeof(T) == typeof(float)) return Vector256.LoadUnsafe(ref Unsafe.As<T, float>(ref from), at);
        var bits = Vector128.LoadUnsafe(ref Unsafe.As<T, ushort>(ref from), at);
        return (Vector256.WidenLower(bits.ToVector256Unsafe()) << 16).AsSingle();
    }

    /// <summary>Sixteen values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sixteen(ref T from, nuint at)
    {
        if (typeof(T) == typeof(float)) return Vector512.LoadUnsafe(ref Unsafe.As<T, float>(ref from), at);
        var bits = Vector256.LoadUnsafe(ref Unsafe.As<T, ushort>(ref from), at);
        return (Vector512.WidenLower(bits.ToVector512Unsafe()) << 16).AsSingle();
    }

    /// <summary>
    /// 32 values for sums, in the order that is cheapest: of bfloat16 those at even places and those at odd ones, of float32 the first 16 and the others.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> First, Vector512<float> Second) Pair(ref T from, nuint at)
    {
        if (typeof(T) == typeof(float)) return (Sixteen(ref from, at), Sixteen(ref from, at + 16));
        var bits = Vector512.LoadUnsafe(ref Unsafe.As<T, ushort>(ref from), at).AsUInt32();
        return ((bits << 16).AsSingle(), (bits & Vector512.Create(0xFFFF_0000)).AsSingle());
    }

    /// <summary>The places of <see cref="Pair"/>'s values, as the bits of a word.</summary>
    public static (Vector512<uint> First, Vector512<uint> Second) PairBits
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if (typeof(T) == typeof(float)) return (Masked.Bits, Masked.Bits << 16);
            var even = Vector512.Create(1u, 1 << 2, 1 << 4, 1 << 6, 1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28, 1 << 30);
            return (even, even << 1);
        }
    }
}
