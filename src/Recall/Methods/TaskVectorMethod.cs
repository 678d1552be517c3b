using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// The methods that add task vectors to the base: δ_m = x_m − b, sparsified by the method's rule, then y = b + λ Σ w_m δ_m / d.
/// Without sign election d = Σ w_m with <c>normalize</c>, 1 without (also where the sum is below 1e-8 in magnitude). With sign election
/// (TIES, arXiv 2306.01708) each element's sign is that of Σ w_m δ_m, + where it is 0; only the w_m δ_m of that sign are added, and with
/// <c>normalize</c> d is the sum of their w_m in that element, 1 where it is 0. <c>rescale</c> brings a sparsified task vector back to its L1 norm,
/// unless one of the two norms is below 1e-7. Where <c>density</c> is 1 or more nothing is sparsified.
/// </summary>
public abstract class TaskVectorMethod : MergeMethod
{
    const double SmallestDivisor = 1e-8, SmallestNorm = 1e-7;

    /// <summary>The weight of a task vector that is brought back to its L1 norm.</summary>
    /// <param name="weight">The weight as given.</param>
    /// <param name="norm">The L1 norm of all of it.</param>
    /// <param name="kept">That of what is kept.</param>
    internal static double Restored(double weight, double norm, double kept) => norm >= SmallestNorm && kept >= SmallestNorm ? weight * (norm / kept) : weight;

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override ShapeRule Shapes => ShapeRule.CropToBaseOrSkip;

    /// <summary>True: each element's sign is elected.</summary>
    internal virtual bool ElectsSign => false;

    /// <summary>What sparsifies a model's task vector of a density below 1.</summary>
    internal virtual MagnitudeSparsifier? Sparsify(TensorInputs inputs, int model, double density) => null;

    /// <summary>What says by chance which elements of a model's task vector of a density below 1 are kept.</summary>
    internal virtual ElementMask? Draw(TensorInputs inputs, int model, double density) => null;

    /// <summary>The parameters of the family, with the method's defaults; <c>int8_mask</c> is accepted and changes nothing.</summary>
    internal static ImmutableArray<MethodParameter> Common(bool normalize, bool rescale) =>
    [
        new("weight", PerModel: true), new("density", 1, PerModel: true), new("normalize", normalize ? 1 : 0, Flag: true),
        new("rescale", rescale ? 1 : 0, Flag: true), new("lambda", 1), new("int8_mask", 0, Flag: true),
    ];

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs)
    {
        if (!inputs.PerModel.TryGetValue("density", out var densities)) return null;
        foreach (int i in inputs.Others)
            if (!(densities[i] >= 0)) return $"density of {inputs.ModelNames[i]} is {densities[i]:R}; it is the share that is kept, from 0 to 1";
        return null;
    }

    /// <inheritdoc/>
    public override string? Remark(TensorInputs inputs) =>
        inputs.PerModel.TryGetValue("density", out var densities) && inputs.Others.Any(i => densities[i] == 0)
            ? "density 0 drops the whole task vector: such a model adds nothing"
            : null;

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs)
    {
        var weights = inputs.PerModel["weight"];
        bool rescale = inputs.Values.GetValueOrDefault("rescale") != 0, normalize = inputs.Flag("normalize");
        double lambda = inputs.Values["lambda"], sum = inputs.Others.Sum(i => weights[i]);
        if (normalize && !ElectsSign && Math.Abs(sum) >= SmallestDivisor) lambda /= sum;
        ImmutableArray<MaskedMerge.Vector> drawn = [.. inputs.Others.Select(i => new MaskedMerge.Vector(i, weights[i], Density(i) < 1 ? Draw(inputs, i, Density(i)) : null))];
        return drawn.Any(vector => vector.Mask is not null)
            ? new MaskedMerge(inputs, drawn, ElectsSign, normalize, rescale, lambda)
            : new TaskVectorMerge(inputs.BaseIndex, [.. inputs.Others.Select(Vector)], ElectsSign, normalize, lambda);

        double Density(int model) => inputs.PerModel.TryGetValue("density", out var densities) ? densities[model] : 1;

        TaskVectorMerge.Vector Vector(int model)
        {
            var sparsifier = Density(model) < 1 ? Sparsify(inputs, model, Density(model)) : null;
            return new(model, weights[model], sparsifier, rescale && sparsifier is not null);
        }
    }
}
