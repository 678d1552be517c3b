using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Keeps each element with a probability that rises with its place r = 1 … R in its row's order of magnitudes, of equal ones the lower index
/// first: p = density − ε + 2ε (r − 1) / (R − 1), and p = density in rows of one element (MAGPRUNE of DELLA, arXiv 2406.11617).
/// Rows are runs of the last dimension. No place is computed: (r − 1) / (R − 1) is the chance that the element is larger than another one of its
/// row that is drawn at random, so where the random number alone does not decide, such another one is drawn and compared.
/// </summary>
sealed class MagPruneMask(CounterRandom random, double density, double epsilon, long row) : ElementMask
{
    const int Words = 16, Lanes = 16;

    /// <summary>Where the file names no epsilon.</summary>
    public const double DefaultEpsilon = 0.15;

    public static MagPruneMask Of(TensorInputs inputs, int model, double density) =>
        new(new CounterRandom(inputs.Seed, inputs.Name, inputs.Models[model]), density, inputs.PerModel["epsilon"][model], inputs.Shape.RowLength);

    /// <summary>Why the epsilon of a model does not fit its density, or null.</summary>
    public static string? Check(TensorInputs inputs)
    {
        foreach (int i in inputs.Others)
        {
            double density = inputs.PerModel["density"][i], epsilon = inputs.PerModel["epsilon"][i];
            if (density is <= 0 or >= 1) continue;
            if (!(epsilon >= 0 && density - epsilon > 0 && density + epsilon < 1))
                return $"of {inputs.ModelNames[i]}, density ± epsilon ({density:R} ± {epsilon:R}) leaves the range between 0 and 1, in which probabilities lie; "
                    + $"set epsilon to at least 0 and below {Math.Min(density, 1 - density):R}";
        }
        return null;
    }

    public override bool WholeRows => true;

    public override void Keep<T>(long start, ReadOnlySpan<T> x, ReadOnlySpan<T> b, Span<ulong> kept)
    {
        if (density <= 0 || row == 1)
        {
            random.Keep(start, density, kept);
            return;
        }
        float[] delta = ArrayPool<float>.Shared.Rent(x.Length);
        TaskVectors.ScaledDifference(x, b, 1, delta.AsSpan(0, x.Length));
        Keep(start, MemoryMarshal.Cast<float, int>(delta.AsSpan(0, x.Length)), kept);
        ArrayPool<float>.Shared.Return(delta);
    }

    // Keys: the bits of float32, of which magnitudes compare as integers do.
    [SkipLocalsInit]
    void Keep(long start, ReadOnlySpan<int> keys, Span<ulong> kept)
    {
        Span<ulong> undecided = stackalloc ulong[Words], larger = stackalloc ulong[Words + 1];
        Span<int> places = stackalloc int[64 * Words + 64], others = stackalloc int[64 * Words + 64];     // kernels work on whole vectors
        for (int first = 0; first < kept.Length; first += Words)
        {
            var some = kept.Slice(first, Math.Min(Words, kept.Length - first));
            var open = undecided[..some.Length];
            random.Split(start + 64 * first, density - epsilon, density + epsilon, some, open);
            if (64 * (first + some.Length) > keys.Length) open[^1] &= (1ul << keys.Length % 64) - 1;
            int count = List(open, 64 * first, places);
            if (count == 0) continue;
            places.Slice(count, Lanes).Fill(places[count - 1]);
            var chosen = places[..((count + Lanes - 1) / Lanes * Lanes)];
            random.Numbers(start, chosen, (int)row - 1, others);
            Compare(keys, chosen, others, MemoryMarshal.Cast<ulong, ushort>(larger));
            Settle(open, larger, some);
        }
    }

    // The places of the bits that are set, from a first one on. Returns how many.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int List(ReadOnlySpan<ulong> bits, int first, Span<int> places)
    {
        int count = 0;
        var byteOfBit = Vector512.Create(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303, 0x0404_0404_0404_0404, 0x0505_0505_0505_0505,
            0x0606_0606_0606_0606, 0x0707_0707_0707_0707ul).AsByte();
        var bitOfByte = Vector512.Create(0x8040_2010_0804_0201).AsByte();
        for (int i = 0; i < bits.Length; i++)
        {
            ulong word = bits[i];
            int start = first + 64 * i, length = BitOperations.PopCount(word);
            if (Avx512Vbmi2.IsSupported)
            {
                var isClear = Vector512.Equals(Avx512BW.Shuffle(Vector512.Create(word).AsByte(), byteOfBit) & bitOfByte, Vector512<byte>.Zero);
                var set = Avx512Vbmi2.Compress(Vector512<byte>.Zero, ~isClear, Vector512<byte>.Indices);
                for (int k = 0; k < length; k += 16, set = Avx512F.AlignRight64(set.AsUInt64(), set.AsUInt64(), 2).AsByte())
                    (Avx512F.ConvertToVector512Int32(set.GetLower().GetLower()) + Vector512.Create(start)).CopyTo(places[(count + k)..]);
                count += length;
                continue;
            }
            for (; word != 0; word &= word - 1) places[count++] = start + BitOperations.TrailingZeroCount(word);
        }
        return count;
    }

    // A bit for each place, in whole vectors: 1 where the element is larger than the other one of its row. Of equal ones the lower index is the smaller.
    // A vector whose places lie in at most two rows goes at once.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    unsafe void Compare(ReadOnlySpan<int> keys, ReadOnlySpan<int> places, ReadOnlySpan<int> others, Span<ushort> larger)
    {
        int length = (int)row, begin = places[0] / length * length;
        fixed (int* key = keys, place = places, number = others)
        {
            for (int k = 0; k < places.Length; k += Lanes)
            {
                while (place[k] - begin >= length) begin += length;
                int end = begin + length;
                if (Avx2.IsSupported && place[k + Lanes - 1] - end < length)
                {
                    var i = Vector512.Load(place + k);
                    var from = Vector512.Create(begin) + (Vector512.GreaterThanOrEqual(i, Vector512.Create(end)) & Vector512.Create(length));
                    var j = Vector512.Load(number + k) + from;
                    j -= Vector512.GreaterThanOrEqual(j, i);
                    var own = Gather(key, i) & Vector512.Create(int.MaxValue);
                    var other = (Gather(key, j) & Vector512.Create(int.MaxValue)) + Vector512.GreaterThan(i, j);
                    larger[k / Lanes] = (ushort)Vector512.GreaterThan(own, other).ExtractMostSignificantBits();
                    continue;
                }
                int bits = 0;
                for (int lane = 0; lane < Lanes; lane++)
                {
                    int i = place[k + lane], j = i / length * length + number[k + lane];
                    j += j >= i ? 1 : 0;
                    bits |= (key[i] & int.MaxValue) > (key[j] & int.MaxValue) - (i > j ? 1 : 0) ? 1 << lane : 0;
                }
                larger[k / Lanes] = (ushort)bits;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static unsafe Vector512<int> Gather(int* from, Vector512<int> at) =>
        Vector512.Create(Avx2.GatherVector256(from, at.GetLower(), sizeof(int)), Avx2.GatherVector256(from, at.GetUpper(), sizeof(int)));

    // Sets the bits of those undecided ones that are larger.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Settle(ReadOnlySpan<ulong> open, ReadOnlySpan<ulong> larger, Span<ulong> kept)
    {
        int k = 0;
        for (int i = 0; i < open.Length; k += BitOperations.PopCount(open[i]), i++)
        {
            ulong bits = larger[k / 64] >> k % 64 | larger[k / 64 + 1] << 1 << (63 - k % 64);
            if (Bmi2.X64.IsSupported) kept[i] |= Bmi2.X64.ParallelBitDeposit(bits, open[i]);
            else for (ulong rest = open[i]; rest != 0; rest &= rest - 1, bits >>= 1) kept[i] |= rest & (0 - rest) & (0 - (bits & 1));
        }
    }
}
