using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>The tensors of a mixture of experts: each stands as it is made while reading, from one model or stacked from several.</summary>
sealed class MixtureOfExperts : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "moe";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference =>
        ("Mixture of experts from dense models", "https://arxiv.org/abs/2401.04088");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [];

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) => new CopyMerge(0);
}
