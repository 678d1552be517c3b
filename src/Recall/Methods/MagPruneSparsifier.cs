using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Keeps each element with a probability that rises with its place r = 1 … R in its row's order of magnitudes, of equal ones the lower index
/// first: p = density − ε + 2ε (r − 1) / (R − 1), and p = density in rows of one element (MAGPRUNE of DELLA, arXiv 2406.11617).
/// Rows are runs of the last dimension. No place is computed: (r − 1) / (R − 1) is the chance that the element is larger than another one of its
/// row that is drawn at random, so where the random number alone does not decide, such another one is drawn and compared.
/// </summary>
sealed class MagPruneSparsifier(CounterRandom random, double density, double epsilon, long row) : Sparsifier
{
    const int Chunk = 1024;

    /// <summary>Where the file names no epsilon.</summary>
    public const double DefaultEpsilon = 0.15;

    public static MagPruneSparsifier Of(TensorInputs inputs, int model, double density) =>
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

    [SkipLocalsInit]
    public override void Clear(long start, Span<float> delta)
    {
        if (density <= 0)
        {
            delta.Clear();
            return;
        }
        int length = (int)row;
        var original = length <= Checkpoints.TileReader.StripElements ? stackalloc float[length] : new float[length];
        for (int first = 0; first < delta.Length; first += length)
        {
            var values = delta.Slice(first, length);
            values.CopyTo(original);
            ClearRow(start + first, original, values);
        }
    }

    [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void ClearRow(long start, ReadOnlySpan<float> original, Span<float> values)
    {
        uint surely = Limit(density - epsilon), never = Limit(density + epsilon);
        ulong others = (ulong)(values.Length - 1), perOther = (others << 32) / Math.Max(never - surely, 1);
        Span<int> places = stackalloc int[Chunk];
        Span<uint> numbers = stackalloc uint[Chunk];
        for (int first = 0; first < values.Length; first += Chunk)
        {
            var part = values.Slice(first, Math.Min(Chunk, values.Length - first));
            int undecided = random.Keep(start + first, surely, never, part, places, numbers);
            if (others == 0 && undecided > 0 && numbers[0] >= (never - surely) / 2) part[0] = 0;
            if (others > 0) Compare(original, first, places[..undecided], numbers, perOther, values);
        }
    }

    // Of equal ones the element of the lower index is the smaller.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Compare(ReadOnlySpan<float> original, int first, ReadOnlySpan<int> places, ReadOnlySpan<uint> numbers, ulong perOther, Span<float> values)
    {
        ref int keys = ref Unsafe.As<float, int>(ref MemoryMarshal.GetReference(original)), bits = ref Unsafe.As<float, int>(ref MemoryMarshal.GetReference(values));
        for (int k = 0; k < places.Length; k++)
        {
            int i = first + places[k], j = (int)(numbers[k] * perOther >> 32);
            j += j >= i ? 1 : 0;
            int own = Unsafe.Add(ref keys, i) & int.MaxValue, other = Unsafe.Add(ref keys, j) & int.MaxValue;
            Unsafe.Add(ref bits, i) &= (other - (i > j ? 1 : 0) - own) >> 31;     // all bits where it is the larger, else none
        }
    }

    static uint Limit(double probability) => (uint)Math.Ceiling(probability * 4294967296.0);
}
