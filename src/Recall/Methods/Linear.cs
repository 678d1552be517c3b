using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Weighted average: y = Σ w_m x_m, divided by Σ w_m with <c>normalize</c> (Wortsman et al., Model soups, arXiv 2203.05482).
/// A base model among the inputs is one of them.
/// </summary>
public sealed class Linear : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "linear";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Linear", "https://arxiv.org/abs/2203.05482");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters =>
        [new("weight", PerModel: true), new("normalize", 1, Flag: true)];

    /// <inheritdoc/>
    public override ShapeRule Shapes => ShapeRule.CropEmbeddings;

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs) => inputs.Flag("normalize") && inputs.PerModel["weight"].Sum() == 0
        ? "the weights sum to 0 and cannot be normalised; set normalize: false, or other weights"
        : null;

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs)
    {
        var weights = inputs.PerModel["weight"];
        double divisor = inputs.Flag("normalize") ? weights.Sum() : 1;
        return new Merge([.. weights.Select(weight => (float)(weight / divisor))]);
    }

    sealed class Merge(ImmutableArray<float> weights) : TensorMerge
    {
        public override bool ShowsDamage => true;

        public override void Apply(in Strip strip, Span<float> output)
        {
            Elementwise.Scale(strip[0], weights[0], output);
            for (int i = 1; i < weights.Length; i++) Elementwise.AddScaled(strip[i], weights[i], output);
        }
    }
}
