using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The base plus scaled task vectors: y = b + λ Σ w_m (x_m − b), the sum divided by Σ w_m with <c>normalize</c>
/// (Ilharco et al., Editing models with task arithmetic, arXiv 2212.04089).
/// </summary>
public sealed class TaskArithmetic : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "task_arithmetic";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Task Arithmetic", "https://arxiv.org/abs/2212.04089");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters =>
        [new("weight", PerModel: true), new("normalize", 0, Flag: true), new("lambda", 1)];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override ShapeRule Shapes => ShapeRule.CropToBaseOrSkip;

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs)
    {
        var weights = inputs.PerModel["weight"];
        double factor = inputs.Values["lambda"];
        double sum = inputs.Others.Sum(i => weights[i]);
        if (inputs.Flag("normalize") && Math.Abs(sum) >= 1e-8) factor /= sum;
        return new Merge(inputs.BaseIndex, [.. weights.Select(weight => (float)(weight * factor))]);
    }

    sealed class Merge(int baseIndex, ImmutableArray<float> weights) : TensorMerge
    {
        public override void Apply(in Strip strip, Span<float> output)
        {
            var origin = strip[baseIndex];
            origin.CopyTo(output);
            for (int i = 0; i < weights.Length; i++)
                if (i != baseIndex) Elementwise.AddScaledDifference(strip[i], origin, weights[i], output);
        }
    }
}
