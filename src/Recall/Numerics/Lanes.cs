using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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

    /// <summary>One half of 32 values: the first or the last sixteen, of bfloat16 those at even or at odd places, which is the cheapest order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Half(ref T from, nuint at, bool first)
    {
        if (typeof(T) == typeof(float)) return Vector512.LoadUnsafe(ref Unsafe.As<T, float>(ref from), first ? at : at + 16);
        var bits = Vector512.LoadUnsafe(ref Unsafe.As<T, ushort>(ref from), at).AsUInt32();
        return (first ? bits << 16 : bits & Vector512.Create(0xFFFF_0000)).AsSingle();
    }

    /// <summary>Both halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> First, Vector512<float> Second) Halves(ref T from, nuint at) => (Half(ref from, at, true), Half(ref from, at, false));

    /// <summary>The place among the 32 of each element: of the first half at even indices, of the second at odd ones.</summary>
    public static Vector512<ushort> HalvesOrder
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => typeof(T) != typeof(float) ? Vector512<ushort>.Indices : Vector512.Create(
            0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, (ushort)31);
    }

    /// <summary>The bit of each element of a half, its place among the 32 being that of the bit in the word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Places(bool first)
    {
        if (typeof(T) == typeof(float))
        {
            var places = Vector512.Create(
                1u, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15);
            return first ? places : places << 16;
        }
        var even = Vector512.Create(
            1u, 1 << 2, 1 << 4, 1 << 6, 1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28, 1 << 30);
        return first ? even : even << 1;
    }

    /// <summary>One half of 32 float32 values that lie in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> HalfInOrder(ref float from, nuint at, bool first)
    {
        if (typeof(T) == typeof(float)) return Vector512.LoadUnsafe(ref from, first ? at : at + 16);
        Vector512<ulong> pairs = Vector512.LoadUnsafe(ref from, at).AsUInt64(), more = Vector512.LoadUnsafe(ref from, at + 16).AsUInt64();
        return (first ? Vector512.Narrow(pairs, more) : Vector512.Narrow(pairs >> 32, more >> 32)).AsSingle();
    }

    /// <summary>Writes both halves of 32 results in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> first, Vector512<float> second, ref float to, nuint at)
    {
        if (typeof(T) == typeof(BFloat16) && Avx512F.IsSupported)
        {
            var order = Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            (first, second) = (Avx512F.PermuteVar16x32x2(first, order, second), Avx512F.PermuteVar16x32x2(first, order + Vector512.Create(8), second));
        }
        else if (typeof(T) == typeof(BFloat16))
        {
            var (even, odd) = (first.AsUInt32(), second.AsUInt32());
            first = (Vector512.WidenLower(even) | Vector512.WidenLower(odd) << 32).AsSingle();
            second = (Vector512.WidenUpper(even) | Vector512.WidenUpper(odd) << 32).AsSingle();
        }
        first.StoreUnsafe(ref to, at);
        second.StoreUnsafe(ref to, at + 16);
    }
}
