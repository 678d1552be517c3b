using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>Which values of a run are kept, the others counting as 0; it is asked by the halves of <see cref="Lanes{T}"/>.</summary>
interface IKept
{
    /// <summary>All bits of the elements that are kept, of one half of the 32 values from a place on, which is a multiple of 32.</summary>
    Vector512<float> Has(Vector512<float> values, nuint at, bool first);

    /// <summary>Whether the value at a place is kept.</summary>
    bool Has(float value, nuint at);

    /// <summary>Whether it says so of as many values.</summary>
    bool Covers(int length);
}

/// <summary>The values that are kept: those whose key (<see cref="Magnitudes.Key"/>) is from <c>Least</c> to <c>Most</c>.</summary>
readonly record struct KeptKeys(int Least, int Most)
{
    /// <summary>Every value.</summary>
    public static KeptKeys All { get; } = new(0, int.MaxValue);

    /// <summary>No value.</summary>
    public static KeptKeys None { get; } = new(-1, -1);

    /// <summary>Whether the value is kept.</summary>
    public bool Has(float value) => Magnitudes.Key(value) is var key && key >= Least && key <= Most;

    /// <summary>The value, or 0 where it is not kept.</summary>
    public float Of(float value) => Has(value) ? value : 0;
}

/// <summary><see cref="KeptKeys"/> for vectors.</summary>
readonly struct KeyRange(KeptKeys kept)
{
    readonly KeptKeys _kept = kept;
    readonly Vector512<int> _least = Vector512.Create(kept.Least);
    readonly Vector512<uint> _width = Vector512.Create((uint)(kept.Most - kept.Least));

    /// <summary>All bits of the elements that are kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Has(Vector512<float> values) =>
        Vector512.LessThanOrEqual(((values.AsInt32() & Vector512.Create(int.MaxValue)) - _least).AsUInt32(), _width).AsSingle();

    /// <summary>Whether the value is kept.</summary>
    public bool Has(float value) => _kept.Has(value);

    /// <summary>What is kept of the values, times a factor; else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Scaled(Vector512<float> values, float factor) =>
        Vector512.ConditionalSelect(Has(values), values * Vector512.Create(factor), Vector512<float>.Zero);
}

/// <summary>What is kept by a range, which stays where it lies: loops copy what they hold.</summary>
readonly ref struct InRange(ref readonly KeyRange range) : IKept
{
    readonly ref readonly KeyRange _range = ref range;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Has(Vector512<float> values, nuint at, bool first) => _range.Has(values);

    public bool Has(float value, nuint at) => _range.Has(value);

    public bool Covers(int length) => true;
}

/// <summary>What is kept by a mask: a bit an element, the lowest first, 1 where it is kept.</summary>
readonly ref struct KeptBits<T>(ReadOnlySpan<ulong> mask) : IKept where T : unmanaged
{
    readonly ReadOnlySpan<byte> _bytes = MemoryMarshal.AsBytes(mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Has(Vector512<float> values, nuint at, bool first)
    {
        uint word = Unsafe.As<byte, uint>(ref Unsafe.Add(ref MemoryMarshal.GetReference(_bytes), at / 8));
        return (~Vector512.Equals(Vector512.Create(word) & Lanes<T>.Places(first), Vector512<uint>.Zero)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Has(float value, nuint at) => (_bytes[(int)(at / 8)] >> (int)(at % 8) & 1) != 0;

    public bool Covers(int length) => _bytes.Length >= (length + 7) / 8;
}

/// <summary>Elections of signs: with the sign of the majority, positive is what agrees with it.</summary>
static class Election
{
    /// <summary>The sign bit of what is below 0; −0, which 0 is added to, is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Sign(Vector512<float> majority) => (majority + Vector512<float>.Zero).AsInt32() & Vector512.Create(int.MinValue);

    /// <summary>The magnitude of what agrees with the sign, else 0: floats that are not negative are so as integers too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Positive(Vector512<float> values, Vector512<int> sign) =>
        Vector512.Max(values.AsInt32() ^ sign, Vector512<int>.Zero).AsSingle();

    /// <summary>The sum, plus the weight of what is positive.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AddWhere(Vector512<float> positive, Vector512<float> weight, Vector512<float> sum) =>
        Vector512.ConditionalSelect(Vector512.GreaterThan(positive.AsInt32(), Vector512<int>.Zero).AsSingle(), sum + weight, sum);
}
