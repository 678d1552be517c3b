using System.Runtime.Intrinsics;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Keeps each element with a probability that rises with its place r = 1 … R in its row's order of magnitudes, of equal ones the lower index
/// first: p = density − ε + 2ε (r − 1) / (R − 1), and p = density in rows of one element (MAGPRUNE of DELLA, arXiv 2406.11617).
/// Rows are runs of the last dimension.
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

    public override void Clear(long start, Span<float> delta)
    {
        if (density <= 0)
        {
            delta.Clear();
            return;
        }
        int length = (int)row;
        var magnitudes = length <= Checkpoints.TileReader.StripElements ? stackalloc float[length] : new float[length];
        Span<int> below = stackalloc int[RowPlaces.Bins + 1];
        for (int first = 0; first < delta.Length; first += length)
        {
            var values = delta.Slice(first, length);
            values.CopyTo(magnitudes);
            ClearRow(start + first, new RowPlaces(magnitudes, below), values);
        }
    }

    // An element depends on its place only where its random number lies within the span of probabilities.
    void ClearRow(long start, RowPlaces places, Span<float> values)
    {
        const double Unit = 1.0 / 4294967296.0;
        double lowest = density - epsilon, scale = Math.Max(values.Length - 1, 1) / (2 * epsilon);
        uint surely = Limit(lowest), never = Limit(density + epsilon);
        Span<uint> numbers = stackalloc uint[Chunk];
        for (int first = 0; first < values.Length; first += Chunk)
        {
            int length = Math.Min(Chunk, values.Length - first);
            random.Fill(start + first, numbers[..length]);
            var part = values.Slice(first, length);
            for (int at = 0; at < length; at += 16)
            {
                int lanes = Math.Min(16, length - at);
                uint undecided = Decide(numbers.Slice(at, lanes), surely, never, part.Slice(at, lanes));
                for (; undecided != 0; undecided &= undecided - 1)
                {
                    int i = at + System.Numerics.BitOperations.TrailingZeroCount(undecided);
                    double place = (numbers[i] * Unit - lowest) * scale;
                    bool kept = values.Length == 1 ? place < 0.5 : places.IsBeyond(first + i, place);
                    part[i] = kept ? part[i] : 0;
                }
            }
        }
    }

    /// <summary>Clears the values whose number is at least <paramref name="never"/>; bits of those whose number is below it, but not below <paramref name="surely"/>.</summary>
    static uint Decide(ReadOnlySpan<uint> numbers, uint surely, uint never, Span<float> values)
    {
        if (Vector128.IsHardwareAccelerated && numbers.Length == 16)
        {
            var number = Vector512.Create(numbers);
            var below = Vector512.LessThan(number, Vector512.Create(never));
            (Vector512.Create<float>(values) & below.AsSingle()).CopyTo(values);
            return (uint)Vector512.AndNot(below, Vector512.LessThan(number, Vector512.Create(surely))).ExtractMostSignificantBits();
        }
        uint bits = 0;
        for (int i = 0; i < numbers.Length; i++)
        {
            if (numbers[i] >= never) values[i] = 0;
            else if (numbers[i] >= surely) bits |= 1u << i;
        }
        return bits;
    }

    static uint Limit(double probability) => (uint)Math.Ceiling(probability * 4294967296.0);
}
