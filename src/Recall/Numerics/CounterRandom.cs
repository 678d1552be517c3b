using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using System.Text;

namespace Recall.Numerics;

/// <summary>
/// Random numbers by position: number i depends on the key and on i alone, so that they are the same on any number of threads, in any order and
/// after any interruption. Key: SHA-256 of seed, tensor name and model, which gives two generators (<see cref="SplitMix"/>): one of 32-bit numbers,
/// and one of which each element draws 16 bits to be kept or not.
/// </summary>
readonly struct CounterRandom
{
    const double Steps = 1L << 48;

    readonly SplitMix _numbers, _draws;

    /// <summary>The numbers of one tensor and model under a seed.</summary>
    public CounterRandom(long seed, string tensor, int model)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{seed} {model} {tensor}")), hash);
        _numbers = new(BinaryPrimitives.ReadUInt64LittleEndian(hash), BinaryPrimitives.ReadUInt64LittleEndian(hash[8..]));
        _draws = new(BinaryPrimitives.ReadUInt64LittleEndian(hash[16..]), BinaryPrimitives.ReadUInt64LittleEndian(hash[24..]));
    }

    /// <summary>Number i: uniform over all 32-bit values.</summary>
    public uint this[long index] => (uint)(_numbers[index] >> 32);

    /// <summary>
    /// Says of each element whether it is kept, with a probability: where the 48-bit number of element i is below it. The upper 16 bits are a quarter of
    /// a word of its own; only where they are those of the probability is number i asked for the other 32.
    /// </summary>
    /// <param name="start">Index of the first element.</param>
    /// <param name="probability">From 0 to 1, in steps of 2^−48.</param>
    /// <param name="kept">Gets a bit an element, the lowest first: 1 where it is kept. Up to a multiple of 64 elements.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Keep(long start, double probability, Span<ulong> kept)
    {
        if (probability >= 1)
        {
            kept.Fill(ulong.MaxValue);
            return;
        }
        ulong limit = Limit(probability);
        var steps = _draws.Steps;
        long run = start >> 6;
        int shift = (int)start & 63;
        if (shift == 0)
        {
            for (int i = 0; i < kept.Length; i++) kept[i] = Below(run + i, Draws(run + i, steps), limit);
            return;
        }
        ulong bits = kept.IsEmpty ? 0 : Below(run, Draws(run, steps), limit);
        for (int i = 0; i < kept.Length; i++)
        {
            ulong next = Below(run + i + 1, Draws(run + i + 1, steps), limit);
            kept[i] = bits >> shift | next << (64 - shift);
            bits = next;
        }
    }

    /// <summary>What <see cref="Keep"/> keeps with a probability, and which others it would keep with a larger one.</summary>
    /// <param name="start">Index of the first element.</param>
    /// <param name="sure">The smaller probability.</param>
    /// <param name="possible">The larger one, below 1.</param>
    /// <param name="kept">Gets a bit an element: 1 where it is kept anyway.</param>
    /// <param name="open">Gets a bit an element, as many: 1 where it is kept with the larger probability only.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Split(long start, double sure, double possible, Span<ulong> kept, Span<ulong> open)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(open.Length, kept.Length);
        if (start % 64 != 0)
        {
            Keep(start, sure, kept);
            Keep(start, possible, open);
            for (int i = 0; i < kept.Length; i++) open[i] &= ~kept[i];
            return;
        }
        ulong limit = Limit(sure), larger = Limit(possible);
        Vector512<ushort> edge = Vector512.Create((ushort)(limit >> 32)), largerEdge = Vector512.Create((ushort)(larger >> 32));
        var steps = _draws.Steps;
        for (int i = 0; i < kept.Length; i++)
        {
            var draws = Draws(start / 64 + i, steps);
            ulong sureOf = Below(draws, edge), possibleOf = Below(draws, largerEdge), equal = Equal(draws, edge), largerEqual = Equal(draws, largerEdge);
            if ((equal | largerEqual) != 0)
            {
                sureOf |= BelowLow(start + 64 * i, equal, (uint)limit);
                possibleOf |= BelowLow(start + 64 * i, largerEqual, (uint)larger);
            }
            kept[i] = sureOf;
            open[i] = possibleOf & ~sureOf;
        }
    }

    static ulong Limit(double probability) => (ulong)Math.Clamp(Math.Round(probability * Steps), 0, Steps - 1);

    // The 16 bits of each of the 64 elements of a run.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    (Vector512<ushort> First, Vector512<ushort> Second) Draws(long run, Vector512<ulong> steps) =>
        (_draws.Eight(16 * run, steps).AsUInt16(), _draws.Eight(16 * run + 8, steps).AsUInt16());

    // Which of them have numbers below the limit.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    ulong Below(long run, (Vector512<ushort> First, Vector512<ushort> Second) draws, ulong limit)
    {
        var edge = Vector512.Create((ushort)(limit >> 32));
        ulong below = Below(draws, edge), equal = Equal(draws, edge);
        return equal == 0 ? below : below | BelowLow(64 * run, equal, (uint)limit);
    }

    // Which of the bits drawn first are below an edge, and which are it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong Below((Vector512<ushort> First, Vector512<ushort> Second) draws, Vector512<ushort> edge) =>
        Bits(Vector512.LessThan(draws.First, edge), Vector512.LessThan(draws.Second, edge));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong Equal((Vector512<ushort> First, Vector512<ushort> Second) draws, Vector512<ushort> edge) =>
        Bits(Vector512.Equals(draws.First, edge), Vector512.Equals(draws.Second, edge));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong Bits(Vector512<ushort> first, Vector512<ushort> second) => first.ExtractMostSignificantBits() | second.ExtractMostSignificantBits() << 32;

    [MethodImpl(MethodImplOptions.NoInlining)]
    ulong BelowLow(long start, ulong which, uint limit)
    {
        ulong below = 0;
        for (; which != 0; which &= which - 1)
        {
            int i = BitOperations.TrailingZeroCount(which);
            below |= (this[start + i] < limit ? 1ul : 0) << i;
        }
        return below;
    }

    /// <summary>Numbers below a limit, of the lower halves of the words whose upper ones are the 32-bit numbers: the whole part of limit · number / 2^32.</summary>
    /// <param name="start">Index of the first element.</param>
    /// <param name="places">Which elements, from the first on.</param>
    /// <param name="limit">Their limit, below 2^31.</param>
    /// <param name="numbers">Gets the numbers; as long as the places.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Numbers(long start, ReadOnlySpan<int> places, int limit, Span<int> numbers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(numbers.Length, places.Length);
        int i = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            var (first, factor) = (Vector512.Create((ulong)start), Vector512.Create((ulong)limit));
            ref int from = ref MemoryMarshal.GetReference(places), to = ref MemoryMarshal.GetReference(numbers);
            for (; i + 8 <= places.Length; i += 8)
            {
                var (lower, upper) = Vector256.Widen(Vector256.LoadUnsafe(ref from, (nuint)i).AsUInt32());
                var number = Product(_numbers.Eight(first + Vector512.Create(lower, upper)), factor) >> 32;
                Vector256.Narrow(number.GetLower(), number.GetUpper()).AsInt32().StoreUnsafe(ref to, (nuint)i);
            }
        }
        for (; i < places.Length; i++) numbers[i] = (int)((_numbers[start + places[i]] & uint.MaxValue) * (ulong)limit >> 32);
    }

    // Of the lower halves of words.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<ulong> Product(Vector512<ulong> one, Vector512<ulong> other) =>
        Avx512F.IsSupported ? Avx512F.Multiply(one.AsUInt32(), other.AsUInt32()) : (one & Vector512.Create((ulong)uint.MaxValue)) * other;

    /// <summary>Adds normal numbers of mean 0: number i of the pair i, i ^ 1 by G. Box and M. Muller's formula (Ann. Math. Stat. 29, 1958).</summary>
    /// <param name="start">Index of the first value.</param>
    /// <param name="deviation">Their standard deviation.</param>
    /// <param name="values">The values that they are added to.</param>
    public void AddNormal(long start, double deviation, Span<float> values)
    {
        const double Range = 4294967296.0;
        for (int i = 0; i < values.Length;)
        {
            long index = start + i, pair = index & ~1L;
            double radius = deviation * Math.Sqrt(-2 * Math.Log((this[pair] + 1.0) / Range));
            var (sine, cosine) = Math.SinCos(Math.Tau * this[pair + 1] / Range);
            if (index == pair) values[i++] += (float)(radius * cosine);
            if (i < values.Length) values[i++] += (float)(radius * sine);
        }
    }
}
