using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>Half way between the smallest and the largest of the models' values: y = scale · (min x_m + max x_m) / 2.</summary>
public sealed class MidRange : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "midrange";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Mid-range", null);

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("scale", 1)];

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) => new Merge(inputs.Count, (float)inputs.Values["scale"] / 2);

    sealed class Merge(int models, float half) : TensorMerge
    {
        public override void Apply(in Strip strip, Span<float> output)
        {
            for (int i = 0; i < output.Length; i++)
            {
                float least = strip[0][i], most = least;
                for (int m = 1; m < models; m++) (least, most) = (MathF.Min(least, strip[m][i]), MathF.Max(most, strip[m][i]));
                output[i] = half * least + half * most;
            }
        }
    }
}
