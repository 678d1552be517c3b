using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>
/// What is known of a family of models: one entry of <see cref="ArchitectureTable"/>. Names are those of published checkpoints.
/// </summary>
/// <param name="ModelType">config.json's <c>model_type</c>.</param>
/// <param name="ClassNames">The names that config.json's <c>architectures</c> may hold.</param>
public sealed record Architecture(string ModelType, params ImmutableArray<string> ClassNames)
{
    /// <summary>What stands before the layer's number in the name of a layer's tensor.</summary>
    public string LayerPrefix { get; init; } = "model.layers.";

    /// <summary>The key of config.json that holds the number of layers.</summary>
    public string LayerCountKey { get; init; } = "num_hidden_layers";

    /// <summary>The token embedding: [vocabulary, hidden].</summary>
    public string Embedding { get; init; } = "model.embed_tokens.weight";

    /// <summary>The norm after the last block.</summary>
    public string FinalNorm { get; init; } = "model.norm.weight";

    /// <summary>The language-model head: [vocabulary, hidden]; absent from checkpoints in which it is tied to the embedding.</summary>
    public string Head { get; init; } = "lm_head.weight";

    /// <summary>How its blocks compute; null where Recall has no forward pass for the family.</summary>
    public BlockTraits? Block { get; init; }
}
