namespace Recall.Checkpoints.Architectures;

/// <summary>Which linear layers of the attention have a bias.</summary>
public enum AttentionBias
{
    /// <summary>None.</summary>
    Never,
    /// <summary>All four, where config.json's <c>attention_bias</c> is true.</summary>
    ByConfig,
    /// <summary>Queries, keys and values always; the output never.</summary>
    QueryKeyValue,
}

/// <summary>Which layers see only the last <c>sliding_window</c> tokens.</summary>
public enum WindowRule
{
    /// <summary>None, whatever config.json says.</summary>
    Never,
    /// <summary>Every layer, where a window is given.</summary>
    EveryLayer,
    /// <summary>Those that <c>layer_types</c> names; every layer where it is absent.</summary>
    ByLayerType,
    /// <summary>Where <c>use_sliding_window</c> is true: those that <c>layer_types</c> names, else those from <c>max_window_layers</c> on.</summary>
    FromLayer,
}

/// <summary>
/// What sets a family's transformer block apart from Llama's: pre-norm with RMSNorm, rotary positions, grouped-query attention, gated MLP.
/// An <see cref="Architecture"/> that has traits has a forward pass. Defaults are those of transformers 5.23.
/// </summary>
public sealed record BlockTraits
{
    /// <summary>Biases of the attention.</summary>
    public AttentionBias AttentionBias { get; init; }

    /// <summary>Whether <c>mlp_bias</c> is read.</summary>
    public bool MlpBiasByConfig { get; init; }

    /// <summary>RMSNorm over each head of queries and keys, before the rotation.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Sliding windows.</summary>
    public WindowRule Window { get; init; }

    /// <summary>The window where config.json has no such key; null: none.</summary>
    public int? DefaultWindow { get; init; }

    /// <summary>Size of a head where config.json has none; null: hidden size divided by heads.</summary>
    public int? DefaultHeadDim { get; init; }

    /// <summary>Positions of training where config.json has none.</summary>
    public int DefaultMaxPositions { get; init; } = 32768;
}
