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
            if (strip.HoldsBFloat16) Sum<BFloat16>(strip, output);
            else Sum<float>(strip, output);
        }

        void Sum<T>(in Strip strip, Span<float> output) where T : unmanaged
        {
            int count = weights.Length, done = count == 1 ? 1 : 2;
            if (count == 1) Elementwise.Scale(strip.Values<T>(0), weights[0], output);
            else Elementwise.Mix(strip.Values<T>(0), weights[0], strip.Values<T>(1), weights[1], output);
            for (; done + 2 <= count; done += 2)
                Elementwise.AddMix(strip.Values<T>(done), weights[done], strip.Values<T>(done + 1), weights[done + 1], output);
            if (done < count) Elementwise.AddScaled(strip.Values<T>(done), weights[done], output);
        }
    }
}
