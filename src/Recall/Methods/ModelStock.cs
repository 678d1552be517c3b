using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// Interpolation between the base and the mean of N fine-tuned models, by the angle between their task vectors: with c the mean over pairs of
/// δ_i·δ_j / max(‖δ_i‖ ‖δ_j‖, 1e-6), between −1 and 1, T = N c / (1 + (N − 1) c) and y = T mean(x) + (1 − T) b
/// (Jang et al., Model Stock, arXiv 2403.19522). With <c>filter_wise</c> each row (run of the last dimension) has its own T.
/// </summary>
public sealed class ModelStock : MergeMethod
{
    const double SmallestProduct = 1e-6;

    /// <inheritdoc/>
    public override string Name => "model_stock";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Model Stock", "https://arxiv.org/abs/2403.19522");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("filter_wise", 0, Flag: true)];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override ShapeRule Shapes => ShapeRule.CropEmbeddings;

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs) => inputs.Count > 2 || (inputs.Count == 1 && inputs.IsOptional)
        ? null
        : $"takes the base and at least two models fine-tuned from it; here are {inputs.Count}: {string.Join(", ", inputs.ModelNames)}";

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs)
    {
        if (inputs.Count == 1) return new CopyMerge(0);
        int row = inputs.Flag("filter_wise") ? checked((int)Math.Max(inputs.Shape.RowLength, 1)) : 0;
        return new GramMerge(inputs.BaseIndex, [.. inputs.Others], row, Coefficients);
    }

    static double[] Coefficients(Gram gram)
    {
        int count = gram.Count;
        double cosine = 0;
        for (int i = 0; i < count; i++)
            for (int j = i + 1; j < count; j++)
                cosine += Math.Clamp(gram[i, j] / Math.Max(gram.Length(i) * gram.Length(j), SmallestProduct), -1, 1);
        cosine /= Gram.Products(count) - count;
        double share = count * cosine / (1 + (count - 1) * cosine);
        var coefficients = new double[count];
        Array.Fill(coefficients, share / count);
        return coefficients;
    }
}
