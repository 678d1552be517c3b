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

    /// <summary>32 values: those at even places and those at odd ones, which is the cheaper order for bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> Even, Vector512<float> Odd) Pair(ref T from, nuint at)
    {
        if (typeof(T) == typeof(float))
        {
            var order = Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7);
            Vector256<float> a = Vector256.Shuffle(Eight(ref from, at), order), b = Vector256.Shuffle(Eight(ref from, at + 8), order);
            Vector256<float> c = Vector256.Shuffle(Eight(ref from, at + 16), order), d = Vector256.Shuffle(Eight(ref from, at + 24), order);
            return (Vector512.Create(Vector256.Create(a.GetLower(), b.GetLower()), Vector256.Create(c.GetLower(), d.GetLower())),
                Vector512.Create(Vector256.Create(a.GetUpper(), b.GetUpper()), Vector256.Create(c.GetUpper(), d.GetUpper())));
        }
        var bits = Vector512.LoadUnsafe(ref Unsafe.As<T, ushort>(ref from), at).AsUInt32();
        return ((bits << 16).AsSingle(), (bits & Vector512.Create(0xFFFF_0000)).AsSingle());
    }

    /// <summary>32 values in whatever order is the cheapest: that of <see cref="HalvesOrder"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> First, Vector512<float> Second) Halves(ref T from, nuint at) =>
        typeof(T) == typeof(float) ? (Sixteen(ref from, at), Sixteen(ref from, at + 16)) : Pair(ref from, at);

    /// <summary>The place among 32 of each value of <see cref="Halves"/>: of the first half at even indices, of the second half at odd ones.</summary>
    public static Vector512<ushort> HalvesOrder
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => typeof(T) != typeof(float) ? Vector512<ushort>.Indices : Vector512.Create(
            0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, (ushort)31);
    }
}
