using Recall.Numerics;

namespace Recall.Methods;

/// <summary>Spherical interpolation of each column (run of the first dimension): one reduce pass for three sums a column, kept for all columns.</summary>
sealed class ColumnSlerpMerge(int baseIndex, int first, int second, int columns, double t) : TensorMerge
{
    float[] _firstFactors = [], _secondFactors = [];

    public override int Passes => 1;

    public override (int Sums, int Counts) Reduction(int pass) => (3 * columns, 0);

    public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
    {
        Subtract(strip);
        for (int at = 0; at < strip.Length;)
        {
            int column = (int)((strip.Start + at) % columns), length = Math.Min(columns - column, strip.Length - at);
            ReadOnlySpan<float> v0 = strip[first].Slice(at, length), v1 = strip[second].Slice(at, length);
            Sums.AddProducts(v0, v0, sums.Slice(column, length));
            Sums.AddProducts(v1, v1, sums.Slice(columns + column, length));
            Sums.AddProducts(v0, v1, sums.Slice(2 * columns + column, length));
            at += length;
        }
    }

    public override void EndPass(int pass, Reduced reduced)
    {
        (_firstFactors, _secondFactors) = (new float[columns], new float[columns]);
        for (int column = 0; column < columns; column++)
        {
            var (one, other) = NuSlerp.Factors(reduced.Sum(column), reduced.Sum(columns + column), reduced.Sum(2 * columns + column), t);
            (_firstFactors[column], _secondFactors[column]) = ((float)one, (float)other);
        }
    }

    public override void Apply(in Strip strip, Span<float> output)
    {
        Subtract(strip);
        if (baseIndex >= 0) strip[baseIndex].CopyTo(output);
        else output.Clear();
        for (int at = 0; at < strip.Length;)
        {
            int column = (int)((strip.Start + at) % columns), length = Math.Min(columns - column, strip.Length - at);
            var part = output.Slice(at, length);
            Elementwise.AddProduct(strip[first].Slice(at, length), _firstFactors.AsSpan(column, length), part);
            Elementwise.AddProduct(strip[second].Slice(at, length), _secondFactors.AsSpan(column, length), part);
            at += length;
        }
    }

    void Subtract(in Strip strip)
    {
        if (baseIndex < 0) return;
        TaskVectors.Subtract(strip[baseIndex], strip[first]);
        TaskVectors.Subtract(strip[baseIndex], strip[second]);
    }
}
