using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Keeps each element with a probability that rises with its place r = 1 … R in its row's order of magnitudes, of equal ones the lower index
/// first: p = density − ε + 2ε (r − 1) / (R − 1), and p = density in rows of one element (MAGPRUNE of DELLA, arXiv 2406.11617).
/// Rows are runs of the last dimension.
/// </summary>
sealed class MagPruneSparsifier(CounterRandom random, double density, double epsilon, long row) : Sparsifier
{
    const int BinShift = 20, Bins = 1 << (31 - BinShift), Chunk = 1024;

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
            if (!(density - epsilon > 0 && density + epsilon < 1 && density - epsilon < 1 && density + epsilon > 0))
                return $"of {inputs.ModelNames[i]}, density ± epsilon ({density:R} ± {epsilon:R}) leaves the range between 0 and 1, in which probabilities lie; "
                    + $"set epsilon below {Math.Min(density, 1 - density):R}";
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
        Span<int> below = stackalloc int[Bins + 1];
        for (int first = 0; first < delta.Length; first += length)
        {
            var values = delta.Slice(first, length);
            values.CopyTo(magnitudes);
            ClearRow(start + first, magnitudes, below, values);
        }
    }

    // Only an element whose random number lies within the span of probabilities depends on its place, and only one whose bin of the histogram
    // holds the place that is asked needs to be counted out.
    void ClearRow(long start, ReadOnlySpan<float> magnitudes, Span<int> below, Span<float> values)
    {
        CountBelow(magnitudes, below);
        const double Unit = 1.0 / 4294967296.0;
        double lowest = density - epsilon, span = 2 * epsilon;
        double places = values.Length > 1 ? values.Length - 1 : 0;
        Span<uint> numbers = stackalloc uint[Chunk];
        for (int first = 0; first < values.Length; first += Chunk)
        {
            int length = Math.Min(Chunk, values.Length - first);
            random.Fill(start + first, numbers[..length]);
            for (int i = first; i < first + length; i++)
            {
                double chance = numbers[i - first] * Unit - lowest;
                if (chance < 0 || magnitudes[i] == 0) continue;
                bool kept = chance < span && (places == 0 ? chance < epsilon : IsBeyond(magnitudes, below, i, chance / span * places));
                if (!kept) values[i] = 0;
            }
        }
    }

    static bool IsBeyond(ReadOnlySpan<float> magnitudes, ReadOnlySpan<int> below, int i, double place)
    {
        int key = Magnitudes.Key(magnitudes[i]), bin = key >> BinShift;
        if (below[bin] > place) return true;
        if (below[bin + 1] - 1 <= place) return false;
        return Magnitudes.CountBelow(magnitudes, key) + Magnitudes.CountEqual(magnitudes[..i], key) > place;
    }

    static void CountBelow(ReadOnlySpan<float> magnitudes, Span<int> below)
    {
        below.Clear();
        foreach (float value in magnitudes) below[(Magnitudes.Key(value) >> BinShift) + 1]++;
        for (int bin = 0; bin < Bins; bin++) below[bin + 1] += below[bin];
    }
}
