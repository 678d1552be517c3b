using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>A run of float32 values that are computed where a kernel asks for them, and lie nowhere.</summary>
interface IValues<TSelf> where TSelf : IValues<TSelf>, allows ref struct
{
    /// <summary>How many there are.</summary>
    int Length { get; }

    /// <summary>Part of them.</summary>
    TSelf Slice(int start, int length);

    /// <summary>Sixteen values.</summary>
    Vector512<float> Sixteen(nuint at);

    /// <summary>32 values, in two halves of the order that <see cref="Order"/> tells.</summary>
    (Vector512<float> First, Vector512<float> Second) Pair(nuint at);

    /// <summary>The place among the 32 of <see cref="Pair"/> of each value: of the first half at even indices, of the second half at odd ones.</summary>
    static abstract Vector512<ushort> Order { get; }

    /// <summary>One value.</summary>
    float One(nuint at);
}

/// <summary>Values that do lie somewhere.</summary>
readonly ref struct PlainValues(ReadOnlySpan<float> values) : IValues<PlainValues>
{
    readonly ReadOnlySpan<float> _values = values;

    public int Length => _values.Length;

    public PlainValues Slice(int start, int length) => new(_values.Slice(start, length));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Sixteen(nuint at) => Vector512.LoadUnsafe(ref MemoryMarshal.GetReference(_values), at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (Vector512<float> First, Vector512<float> Second) Pair(nuint at) => (Sixteen(at), Sixteen(at + 16));

    public static Vector512<ushort> Order
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Lanes<float>.HalvesOrder;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float One(nuint at) => Unsafe.Add(ref MemoryMarshal.GetReference(_values), at);
}

/// <summary>A task vector, x − b: of float32 or bfloat16 (<see cref="Lanes{T}"/>).</summary>
readonly ref struct Differences<T> : IValues<Differences<T>> where T : unmanaged
{
    readonly ReadOnlySpan<T> _x, _b;

    public Differences(ReadOnlySpan<T> x, ReadOnlySpan<T> b)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        _x = x;
        _b = b;
    }

    public int Length => _x.Length;

    public Differences<T> Slice(int start, int length) => new(_x.Slice(start, length), _b.Slice(start, length));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Sixteen(nuint at) =>
        Lanes<T>.Sixteen(ref MemoryMarshal.GetReference(_x), at) - Lanes<T>.Sixteen(ref MemoryMarshal.GetReference(_b), at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (Vector512<float> First, Vector512<float> Second) Pair(nuint at)
    {
        var (x1, x2) = Lanes<T>.Halves(ref MemoryMarshal.GetReference(_x), at);
        var (b1, b2) = Lanes<T>.Halves(ref MemoryMarshal.GetReference(_b), at);
        return (x1 - b1, x2 - b2);
    }

    public static Vector512<ushort> Order
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Lanes<T>.HalvesOrder;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float One(nuint at) => Lanes<T>.One(ref MemoryMarshal.GetReference(_x), at) - Lanes<T>.One(ref MemoryMarshal.GetReference(_b), at);
}
