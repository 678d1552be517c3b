using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

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
    readonly Vector512<int> _least = Vector512.Create(kept.Least);
    readonly Vector512<uint> _width = Vector512.Create((uint)(kept.Most - kept.Least));

    /// <summary>All bits of the elements that are kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Has(Vector512<float> values) =>
        Vector512.LessThanOrEqual(((values.AsInt32() & Vector512.Create(int.MaxValue)) - _least).AsUInt32(), _width).AsSingle();

    /// <summary>What is kept of the values, times a factor; else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Scaled(Vector512<float> values, float factor) =>
        Vector512.ConditionalSelect(Has(values), values * Vector512.Create(factor), Vector512<float>.Zero);
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
