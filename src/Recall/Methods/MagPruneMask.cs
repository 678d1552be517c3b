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
    const int Words = 16;

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
        Span<ulong> undecided = stackalloc ulong[Words];
        Span<int> places = stackalloc int[64 * Words + 64], others = stackalloc int[64 * Words + 64];     // kernels work on whole vectors
        for (int first = 0; first < kept.Length; first += Words)
        {
            var some = kept.Slice(first, Math.Min(Words, kept.Length - first));
            var open = undecided[..some.Length];
            random.Split(start + 64 * first, density - epsilon, density + epsilon, some, open);
            if (64 * (first + some.Length) > keys.Length) open[^1] &= (1ul << keys.Length % 64) - 1;
            var chosen = places[..List(open, 64 * first, places)];
            random.Numbers(start, chosen, (int)row - 1, others);
            Compare(keys, chosen, others);
            Settle(open, others, some);
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

    // Puts −1 in the place of each other one's number where the element is larger than it, else 0. Of equal ones the element of the lower index is the smaller.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    unsafe void Compare(ReadOnlySpan<int> keys, ReadOnlySpan<int> places, Span<int> others)
    {
        int length = (int)row;
        fixed (int* key = keys)
        {
            for (int k = 0; k < places.Length; k++)
            {
                int begin = places[k] / length * length, end = begin + length;
                if (Avx2.IsSupported)
                {
                    var magnitude = Vector256.Create(int.MaxValue);
                    for (; k + 8 <= places.Length && places[k + 7] < end; k += 8)
                    {
                        Vector256<int> i = Vector256.Create(places[k..]), j = Vector256.Create(others[k..]) + Vector256.Create(begin);
                        j -= Vector256.GreaterThanOrEqual(j, i);
                        var own = Avx2.GatherVector256(key, i, sizeof(int)) & magnitude;
                        var other = (Avx2.GatherVector256(key, j, sizeof(int)) & magnitude) + Vector256.GreaterThan(i, j);
                        Vector256.GreaterThan(own, other).CopyTo(others[k..]);
                    }
                }
                for (; k < places.Length && places[k] < end; k++)
                {
                    int i = places[k], j = begin + others[k];
                    j += j >= i ? 1 : 0;
                    others[k] = (key[i] & int.MaxValue) > (key[j] & int.MaxValue) - (i > j ? 1 : 0) ? -1 : 0;
                }
                k--;
            }
        }
    }

    // Sets the bits of those undecided ones that are larger.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Settle(ReadOnlySpan<ulong> open, ReadOnlySpan<int> larger, Span<ulong> kept)
    {
        int k = 0;
        for (int i = 0; i < open.Length; k += BitOperations.PopCount(open[i]), i++)
        {
            if (Bmi2.X64.IsSupported)
            {
                ulong bits = 0;
                for (int j = 0; j < BitOperations.PopCount(open[i]); j += 16) bits |= Vector512.Create(larger[(k + j)..]).ExtractMostSignificantBits() << j;
                kept[i] |= Bmi2.X64.ParallelBitDeposit(bits, open[i]);
                continue;
            }
            int next = k;
            for (ulong rest = open[i]; rest != 0; rest &= rest - 1) kept[i] |= rest & (0 - rest) & (ulong)larger[next++];
        }
    }
}
