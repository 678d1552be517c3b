using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// Of each task vector a random <c>density</c> in which large elements are likelier than small ones by ± <c>epsilon</c>, brought back to its
/// L1 norm, then the weighted sum (Deep et al., DELLA-Merging, arXiv 2406.11617). Formula: <see cref="TaskVectorMethod"/>.
/// </summary>
public sealed class DellaLinear : TaskVectorMethod
{
    /// <inheritdoc/>
    public override string Name => "della_linear";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Linear DELLA", "https://arxiv.org/abs/2406.11617");

    /// <inheritdoc/>
    public override bool IsRandom => true;

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [.. Common(normalize: false, rescale: true), new("epsilon", MagPruneMask.DefaultEpsilon, PerModel: true)];

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs) => base.Check(inputs) ?? MagPruneMask.Check(inputs);

    internal override ElementMask? Draw(TensorInputs inputs, int model, double density) =>
        MagPruneMask.Of(inputs, model, density);
}
