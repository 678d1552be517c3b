using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// Of each task vector the <c>density</c> of largest magnitude; each element's sign is elected and what disagrees is left out
/// (Yadav et al., TIES-Merging, arXiv 2306.01708). Formula: <see cref="TaskVectorMethod"/>.
/// </summary>
public sealed class Ties : TaskVectorMethod
{
    /// <inheritdoc/>
    public override string Name => "ties";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("TIES", "https://arxiv.org/abs/2306.01708");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => Common(normalize: true, rescale: false);

    internal override bool ElectsSign => true;

    internal override MagnitudeSparsifier? Sparsify(TensorInputs inputs, int model, double density) =>
        MagnitudeSparsifier.Largest(inputs.Shape.Elements, density);
}
