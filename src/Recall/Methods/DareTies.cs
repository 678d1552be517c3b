using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// Of each task vector a random <c>density</c>, brought back to its L1 norm, then the sum with elected signs
/// (Yu et al., Language models are super Mario, arXiv 2311.03099). Formula: <see cref="TaskVectorMethod"/>.
/// </summary>
public sealed class DareTies : TaskVectorMethod
{
    /// <inheritdoc/>
    public override string Name => "dare_ties";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("DARE TIES", "https://arxiv.org/abs/2311.03099");

    /// <inheritdoc/>
    public override bool IsRandom => true;

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => Common(normalize: false, rescale: true);

    internal override bool ElectsSign => true;

    internal override ElementMask? Draw(TensorInputs inputs, int model, double density) =>
        RandomMask.Of(inputs, model, density);
}
