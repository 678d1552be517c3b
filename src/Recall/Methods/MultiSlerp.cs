using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// Spherical average of any number of models, or of their task vectors with a base. With u_i = X_i / (‖X_i‖ + eps) and m the direction of
/// Σ w_i u_i, the u_i are moved to the tangent space at m, averaged, moved back, and scaled by Σ w_i ‖X_i‖. The weights are divided by their
/// sum with <c>normalize_weights</c>. Since m is the direction of that same average, the tangents' average is 0 but for rounding, and
/// y = m cos(eps) Σ w_i ‖X_i‖ (Goddard, https://goddard.blog/posts/multislerp-wow-what-a-cool-idea).
/// Where all X_i are 0 so is the result. Where else Σ w_i u_i vanishes (below eps), y = Σ w_i X_i of two models; of more there is no answer, and that is an error.
/// </summary>
public sealed class MultiSlerp : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "multislerp";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Multi-SLERP", "https://goddard.blog/posts/multislerp-wow-what-a-cool-idea");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters =>
        [new("weight", PerModel: true), new("normalize_weights", 1, Flag: true), new("eps", 1e-8)];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Optional;

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs)
    {
        if (!inputs.Others.Any() && !inputs.IsOptional) return "takes at least one model beside the base";
        return inputs.Others.Count() > 1 && inputs.Flag("normalize_weights") && inputs.Others.Sum(i => inputs.PerModel["weight"][i]) == 0
            ? "the weights sum to 0 and cannot be normalised; set normalize_weights: false, or other weights"
            : null;
    }

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs)
    {
        ImmutableArray<int> others = [.. inputs.Others];
        if (others.Length < 2) return new CopyMerge(others.Length == 0 ? 0 : others[0]);
        double[] weights = [.. others.Select(i => inputs.PerModel["weight"][i])];
        if (inputs.Flag("normalize_weights"))
        {
            double sum = weights.Sum();
            for (int i = 0; i < weights.Length; i++) weights[i] /= sum;
        }
        return new GramMerge(inputs.BaseIndex, others, 0, gram => Coefficients(gram, weights, inputs.Values["eps"], inputs.Name));
    }

    static double[] Coefficients(Gram gram, double[] weights, double eps, string name)
    {
        var mean = new double[gram.Count];
        double radius = 0;
        for (int i = 0; i < gram.Count; i++)
        {
            mean[i] = weights[i] / (gram.Length(i) + eps);
            radius += weights[i] * gram.Length(i);
        }
        if (Enumerable.Range(0, gram.Count).All(i => gram[i, i] == 0)) return mean;
        double length = Math.Sqrt(Math.Max(gram.Dot(mean, mean), 0));
        if (length < eps)
            return gram.Count == 2 ? weights
                : throw new RecallException($"{name}: the weighted directions of the {gram.Count} models cancel, so that multislerp has no direction to give; choose other weights, or merge two models");
        for (int i = 0; i < gram.Count; i++) mean[i] *= Math.Cos(eps) * radius / length;
        return mean;
    }
}
