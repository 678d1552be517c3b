using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// Spherical interpolation of two models, or of their task vectors with a base: t = w1 / (w0 + w1), 0.5 where |w0 + w1| is below 1e-6;
/// y = [sin((1−t)θ) v0 + sin(tθ) v1] / sin θ, a straight line where |sin θ| is below 1e-8 (Shoemake 1985). A vector is the whole tensor with
/// <c>nuslerp_flatten</c>; without, each run of the last dimension, or with <c>nuslerp_row_wise</c> of the first.
/// </summary>
public sealed class NuSlerp : MergeMethod
{
    const double SmallestSum = 1e-6, Shortest = 1e-7, SmallestSine = 1e-8;

    /// <inheritdoc/>
    public override string Name => "nuslerp";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("NuSLERP", null);

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters =>
        [new("weight", PerModel: true), new("nuslerp_flatten", 1, Flag: true), new("nuslerp_row_wise", 0, Flag: true)];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Optional;

    /// <inheritdoc/>
    public override ShapeRule Shapes => ShapeRule.CropEmbeddings;

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs)
    {
        if (inputs is { Count: 1, IsOptional: true } || inputs.Others.Count() == 2) return null;
        return inputs is { Count: 2, BaseIndex: >= 0 }
            ? $"takes two models beside the base; {inputs.ModelNames[inputs.BaseIndex]} is the base and one of the two: leave base_model out, or name a third"
            : $"takes exactly two models, beside a base where there is one; here are {inputs.Count}: {string.Join(", ", inputs.ModelNames)}";
    }

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs)
    {
        if (inputs.Count == 1) return new CopyMerge(0);
        ImmutableArray<int> two = [.. inputs.Others];
        var weights = inputs.PerModel["weight"];
        double sum = weights[two[0]] + weights[two[1]], t = Math.Abs(sum) < SmallestSum ? 0.5 : weights[two[1]] / sum;
        bool flat = inputs.Flag("nuslerp_flatten") || inputs.Shape.Rank < 2;
        if (!flat && inputs.Flag("nuslerp_row_wise"))
            return new ColumnSlerpMerge(inputs.BaseIndex, two[0], two[1], checked((int)(inputs.Shape.Elements / Math.Max(inputs.Shape[0], 1))), t);
        int row = flat ? 0 : checked((int)Math.Max(inputs.Shape.RowLength, 1));
        return new GramMerge(inputs.BaseIndex, two, row, gram =>
        {
            var (first, second) = Factors(gram[0, 0], gram[1, 1], gram[0, 1], t);
            return [first, second];
        });
    }

    /// <summary>The factors of v0 and v1, from v0·v0, v1·v1 and v0·v1.</summary>
    internal static (double First, double Second) Factors(double square0, double square1, double product, double t)
    {
        double length0 = Math.Max(Math.Sqrt(square0), Shortest), length1 = Math.Max(Math.Sqrt(square1), Shortest);
        double angle = Math.Acos(Math.Clamp(product / length0 / length1, -1, 1)), sine = Math.Sin(angle);
        return Math.Abs(sine) < SmallestSine ? (1 - t, t) : (Math.Sin((1 - t) * angle) / sine, Math.Sin(t * angle) / sine);
    }
}
