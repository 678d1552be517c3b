using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// A combination y = Σ c_i x_i, or b + Σ c_i (x_i − b) with a base, whose coefficients follow from the dot products of the vectors: of the whole
/// tensor in one reduce pass, or of each row on its own in none.
/// </summary>
/// <param name="baseIndex">The base among the inputs, or −1.</param>
/// <param name="inputs">The inputs that are combined.</param>
/// <param name="row">Length of a row where each row has its own coefficients, else 0.</param>
/// <param name="coefficients">From dot products to coefficients.</param>
sealed class GramMerge(int baseIndex, ImmutableArray<int> inputs, int row, Func<Gram, double[]> coefficients) : TensorMerge
{
    double[] _coefficients = [];

    public override bool WholeRows => row > 0;

    public override int Passes => row > 0 ? 0 : 1;

    public override (int Sums, int Counts) Reduction(int pass) => (Gram.Products(inputs.Length), 0);

    public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
    {
        Subtract(strip);
        Gram.Add(strip, inputs, 0, strip.Length, sums);
    }

    public override void EndPass(int pass, Reduced reduced) => _coefficients = coefficients(new Gram(inputs.Length, reduced.Sums));

    public override void Apply(in Strip strip, Span<float> output)
    {
        Subtract(strip);
        if (row == 0)
        {
            Combine(strip, _coefficients, 0, output);
            return;
        }
        for (int first = 0; first < output.Length; first += row)
        {
            var products = new double[Gram.Products(inputs.Length)];
            Gram.Add(strip, inputs, first, row, products);
            Combine(strip, coefficients(new Gram(inputs.Length, products)), first, output.Slice(first, row));
        }
    }

    void Subtract(in Strip strip)
    {
        if (baseIndex < 0) return;
        foreach (int i in inputs) TaskVectors.Subtract(strip[baseIndex], strip[i]);
    }

    void Combine(in Strip strip, double[] factors, int first, Span<float> output)
    {
        if (baseIndex >= 0) strip[baseIndex].Slice(first, output.Length).CopyTo(output);
        else Elementwise.Scale(strip[inputs[0]].Slice(first, output.Length), (float)factors[0], output);
        for (int i = baseIndex >= 0 ? 0 : 1; i < inputs.Length; i++)
            Elementwise.AddScaled(strip[inputs[i]].Slice(first, output.Length), (float)factors[i], output);
    }
}
