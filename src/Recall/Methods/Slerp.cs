using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Spherical interpolation of two tensors taken as one vector each, from the base (<c>t</c> = 0) to the other (<c>t</c> = 1):
/// y = [sin((1−t)θ) v0 + sin(tθ) v1] / sin θ, θ the angle between them; nearly parallel vectors (|cos θ| above 0.9995) are interpolated
/// in a straight line (Shoemake 1985).
/// </summary>
public sealed class Slerp : MergeMethod
{
    const double Parallel = 0.9995, Shortest = 1e-8;

    /// <inheritdoc/>
    public override string Name => "slerp";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("SLERP", "https://en.wikipedia.org/wiki/Slerp");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("t")];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override ShapeRule Shapes => ShapeRule.CropEmbeddings;

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs) => inputs.Count > 2 || (inputs.Count == 1 && !inputs.IsOptional)
        ? $"takes exactly two models, one of them the base; here are {inputs.Count}: {string.Join(", ", inputs.ModelNames)}"
        : null;

    /// <summary>Of two models, from the first to the second: t is the second one's weight.</summary>
    public override TensorInputs? WithLayerWeights(TensorInputs inputs, ImmutableArray<double> weights)
    {
        if (inputs.Count != 2) return null;
        int from = Math.Max(inputs.BaseIndex, 0);
        return inputs with { BaseIndex = from, Values = inputs.Values.SetItem("t", weights[1 - from]) };
    }

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) => new Merge(Math.Max(inputs.BaseIndex, 0), inputs.Count, inputs.Values["t"]);

    sealed class Merge(int from, int count, double t) : TensorMerge
    {
        public override bool ShowsDamage => true;

        float _first = 1, _second;

        public override int Passes => count == 2 ? 1 : 0;

        public override (int Sums, int Counts) Reduction(int pass) => (3, 0);

        public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
        {
            var (xx, yy, xy) = strip.HoldsBFloat16 ? Products<BFloat16>(strip) : Products<float>(strip);
            sums[0] += xx;
            sums[1] += yy;
            sums[2] += xy;
        }

        public override void EndPass(int pass, Reduced reduced)
        {
            double length0 = Math.Sqrt(reduced.Sum(0)), length1 = Math.Sqrt(reduced.Sum(1));
            double cosine = reduced.Sum(2) / (length0 > Shortest ? length0 : 1) / (length1 > Shortest ? length1 : 1);
            if (Math.Abs(cosine) > Parallel)
            {
                (_first, _second) = ((float)(1 - t), (float)t);
                return;
            }
            double angle = Math.Acos(cosine), sine = Math.Sin(angle);
            (_first, _second) = ((float)(Math.Sin(angle - angle * t) / sine), (float)(Math.Sin(angle * t) / sine));
        }

        (double XX, double YY, double XY) Products<T>(in Strip strip) where T : unmanaged => Sums.Products(strip.Values<T>(from), strip.Values<T>(1 - from));

        public override void Apply(in Strip strip, Span<float> output)
        {
            if (count == 1) Elementwise.Scale<float>(strip[from], _first, output);
            else if (strip.HoldsBFloat16) Mix<BFloat16>(strip, output);
            else Mix<float>(strip, output);
        }

        void Mix<T>(in Strip strip, Span<float> output) where T : unmanaged =>
            Elementwise.Mix(strip.Values<T>(from), _first, strip.Values<T>(1 - from), _second, output);
    }
}
