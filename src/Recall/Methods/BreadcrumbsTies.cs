using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// Of each task vector <c>density</c> · n elements below the <c>gamma</c> · n largest ones, then the sum with elected signs
/// (Davari and Belilovsky, Model Breadcrumbs, arXiv 2312.06795). Formula: <see cref="TaskVectorMethod"/>.
/// </summary>
public sealed class BreadcrumbsTies : TaskVectorMethod
{
    /// <inheritdoc/>
    public override string Name => "breadcrumbs_ties";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Model Breadcrumbs with TIES", "https://arxiv.org/abs/2312.06795");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [.. Common(normalize: false, rescale: false), new("gamma", 0.01, PerModel: true)];

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs) => base.Check(inputs) ?? MagnitudeSparsifier.CheckGamma(inputs);

    internal override bool ElectsSign => true;

    internal override MagnitudeSparsifier? Sparsify(TensorInputs inputs, int model, double density) =>
        MagnitudeSparsifier.Middle(inputs.Shape.Elements, density, inputs.PerModel["gamma"][model]);
}
