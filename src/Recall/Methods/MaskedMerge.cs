using System.Buffers;
using System.Collections.Immutable;
using System.Numerics;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The passes of <see cref="TaskVectorMethod"/> where chance says which elements are kept: one for the L1 norms where they are restored, then the sum.
/// The first keeps its masks for the second, as far as they have room; others are drawn again.
/// </summary>
sealed class MaskedMerge(
    TensorInputs inputs, ImmutableArray<MaskedMerge.Vector> vectors, bool electsSign, bool normalize, bool rescale, double factor, long room = MaskedMerge.MaskBytes)
    : TensorMerge
{
    /// <summary>Masks that are kept, at most: 64 MiB a tensor.</summary>
    public const long MaskBytes = 64 << 20;

    /// <summary>One model's task vector; without a mask all of it is kept, and not rescaled.</summary>
    public sealed record Vector(int Input, double Weight, ElementMask? Mask);

    readonly int[] _voters = [.. vectors.Select(vector => vector.Input)];
    readonly float[] _weights = [.. vectors.Select(vector => (float)vector.Weight)];
    readonly float[] _scales = [.. vectors.Select(vector => (float)vector.Weight)];     // with the factors that restore the norms, after the pass
    readonly Lazy<ulong[][]> _masks = new(() => [.. vectors.Select(vector => vector.Mask is null || !rescale ? [] : Rent(inputs, room / vectors.Length))]);

    // Infinity minus infinity is NaN: norms of all vectors show it.
    public override bool ShowsDamage { get; } = rescale && vectors.All(vector => vector.Mask is not null);

    public override bool WholeRows => vectors.Any(vector => vector.Mask is { WholeRows: true });

    public override int Passes => rescale ? 1 : 0;

    public override (int Sums, int Counts) Reduction(int pass) => (2 * vectors.Length, 0);

    internal override long KeptBytes => rescale ? sizeof(ulong) * WordsKept(inputs, room / vectors.Length) * vectors.Count(vector => vector.Mask is not null) : 0;

    static ulong[] Rent(TensorInputs inputs, long bytes) => ArrayPool<ulong>.Shared.Rent((int)WordsKept(inputs, bytes));

    // The pool's arrays are powers of two.
    static long WordsKept(TensorInputs inputs, long bytes) =>
        bytes < sizeof(ulong) ? 0 : Math.Min((inputs.Shape.Elements + 63) / 64, 1L << BitOperations.Log2((ulong)bytes / sizeof(ulong)));

    internal override void End()
    {
        if (!_masks.IsValueCreated) return;
        foreach (ulong[] masks in _masks.Value) ArrayPool<ulong>.Shared.Return(masks);
    }

    public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
    {
        if (strip.HoldsBFloat16) Reduce<BFloat16>(strip, sums);
        else Reduce<float>(strip, sums);
    }

    void Reduce<T>(in Strip strip, Span<double> sums) where T : unmanaged
    {
        ulong[] buffer = ArrayPool<ulong>.Shared.Rent(Words(strip));
        for (int i = 0; i < vectors.Length; i++)
        {
            if (vectors[i].Mask is null) continue;
            var mask = Mask<T>(i, strip, buffer, again: true);
            var (all, kept) = Masked.Magnitudes(strip.Values<T>(vectors[i].Input), strip.Values<T>(inputs.BaseIndex), mask);
            sums[2 * i] += all;
            sums[2 * i + 1] += kept;
        }
        ArrayPool<ulong>.Shared.Return(buffer);
    }

    public override void EndPass(int pass, Reduced reduced)
    {
        for (int i = 0; i < vectors.Length; i++) _scales[i] = (float)TaskVectorMethod.Restored(vectors[i].Weight, reduced.Sum(2 * i), reduced.Sum(2 * i + 1));
    }

    public override void Apply(in Strip strip, Span<float> output)
    {
        if (strip.HoldsBFloat16) Apply<BFloat16>(strip, output);
        else Apply<float>(strip, output);
    }

    void Apply<T>(in Strip strip, Span<float> output) where T : unmanaged
    {
        const int Most = KeptVectors.MostVoters;
        ulong[] buffer = ArrayPool<ulong>.Shared.Rent(Most * Words(strip));
        var origin = strip.Values<T>(inputs.BaseIndex);
        bool inMemory = electsSign && vectors.Length > Most;
        if (inMemory) Elect<T>(strip, buffer, output);
        for (int i = 0; i < vectors.Length && !inMemory; i += Most)
        {
            int count = Math.Min(Most, vectors.Length - i);
            var one = Ballot<T>(i, strip, buffer);
            var two = count > 1 ? Ballot<T>(i + 1, strip, buffer) : default;
            var three = count > 2 ? Ballot<T>(i + 2, strip, buffer) : default;
            var four = count > 3 ? Ballot<T>(i + 3, strip, buffer) : default;
            if (electsSign) KeptVectors.AddElected(origin, one, two, three, four, count, normalize, (float)factor, output);
            else Masked.AddScaled(origin, one, two, three, four, count, toBase: i == 0, output);
        }
        ArrayPool<ulong>.Shared.Return(buffer);
    }

    Ballot<T, KeptBits<T>> Ballot<T>(int vector, in Strip strip, ulong[] buffer) where T : unmanaged
    {
        int words = Words(strip);
        var mask = Mask<T>(vector, strip, buffer.AsSpan(vector % KeptVectors.MostVoters * words, words), again: false);
        return new(strip.Values<T>(vectors[vector].Input), electsSign ? _scales[vector] : (float)(_scales[vector] * factor), _weights[vector], new(mask));
    }

    // Of any number of vectors.
    void Elect<T>(in Strip strip, ulong[] buffer, Span<float> output) where T : unmanaged
    {
        var origin = strip.Values<T>(inputs.BaseIndex);
        for (int i = 0; i < vectors.Length; i++)
        {
            var mask = Mask<T>(i, strip, buffer, again: false);
            int input = vectors[i].Input;
            Masked.ScaledDifference(strip.Values<T>(input), origin, mask, _scales[i], strip.Buffers[input].AsSpan(0, strip.Length));
        }
        TaskVectors.AddElected(origin, strip.Buffers, _voters, normalize ? _weights : [], (float)factor, output);
    }

    // Strips are the same in every pass: their masks lie in the vector's room, or in the buffer where that is too small.
    ReadOnlySpan<ulong> Mask<T>(int vector, in Strip strip, Span<ulong> buffer, bool again) where T : unmanaged
    {
        long first = strip.Start / 64;
        int words = Words(strip);
        bool hasRoom = strip.Start % 64 == 0 && first + words <= _masks.Value[vector].Length;
        var mask = hasRoom ? _masks.Value[vector].AsSpan((int)first, words) : buffer[..words];
        if (vectors[vector].Mask is not { } chance) mask.Fill(ulong.MaxValue);
        else if (again || !hasRoom) chance.Keep(strip.Start, strip.Values<T>(vectors[vector].Input), strip.Values<T>(inputs.BaseIndex), mask);
        return mask;
    }

    static int Words(in Strip strip) => (strip.Length + 63) / 64;
}
