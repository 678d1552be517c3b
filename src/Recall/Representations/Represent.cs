using Recall.Checkpoints;
using Recall.Configuration;

namespace Recall.Representations;

/// <summary>What a pass over one model gives.</summary>
public sealed record RepresentOptions
{
    /// <summary>How a text's states become one vector; null: every token's state is given. Default mean.</summary>
    public Pooling? Pooling { get; init; } = Configuration.Pooling.Mean;

    /// <summary>The last layer to compute, 0 … L; default all.</summary>
    public int? LastLayer { get; init; }

    /// <summary>Default auto.</summary>
    public ComputeType Compute { get; init; } = ComputeType.Auto;
}

/// <summary>The states of one layer.</summary>
/// <param name="Layer">0 the embedding's output, l the output of block l − 1 counted from 0, before the final norm.</param>
/// <param name="Pooled">[texts, hidden]; null where every token was asked for.</param>
/// <param name="Tokens">For each text [tokens, hidden], row-major; empty where pooled.</param>
public sealed record LayerStates(int Layer, PooledStates? Pooled, IReadOnlyList<float[]> Tokens);

/// <summary>A whole pass of texts over one model, in the memory of one layer.</summary>
public static class Represent
{
    /// <summary>Runs the texts through a model, from the embedding up.</summary>
    /// <param name="name">The model's name, for messages.</param>
    /// <param name="checkpoint">The model.</param>
    /// <param name="texts">Token ids of each text.</param>
    /// <param name="options">What to give.</param>
    /// <param name="states">Told each layer's states.</param>
    /// <param name="logits">Told each text's number and scores [tokens, vocabulary], in the order of the texts, after the last layer;
    /// null: not computed.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="RecallException">No forward pass, ids outside the vocabulary, or states that are not finite.</exception>
    public static void Run(
        string name, Checkpoint checkpoint, IReadOnlyList<int[]> texts, RepresentOptions options, Action<LayerStates> states,
        Action<int, float[]>? logits = null, CancellationToken cancellation = default)
    {
        using var stream = new RepresentationStream([(name, checkpoint)], texts, options.Compute);
        if (options.LastLayer < 0 || options.LastLayer > stream.Layers)
            throw new RecallException($"{name}: has no layer {options.LastLayer}; its layers are 0 (the embedding) to {stream.Layers}");
        int last = logits is null ? options.LastLayer ?? stream.Layers : stream.Layers;
        var reader = new TileReader();
        for (int layer = 0; layer <= last; layer++)
        {
            Advance(stream, layer, reader, cancellation);
            if (layer <= (options.LastLayer ?? last)) states(States(stream, layer, texts.Count, options.Pooling));
        }
        for (int text = 0; logits is not null && text < texts.Count; text++) logits(text, stream.Logits(0, text, reader));
    }

    /// <summary>Representations at the cluster layer, the layers above it unread: [texts, hidden].</summary>
    internal static PooledStates Pooled(
        string name, Checkpoint checkpoint, IReadOnlyList<int[]> texts, RecallOptions options, CancellationToken cancellation)
    {
        using var stream = new RepresentationStream([(name, checkpoint)], texts, options.Compute);
        int last = ClusterLayer(options, stream.Layers);
        var reader = new TileReader();
        for (int layer = 0; layer <= last; layer++) Advance(stream, layer, reader, cancellation);
        return stream.Pooled(options.Pooling)[0];
    }

    /// <summary>The layer that is clustered: −1 is the output of the last block, −2 that of the one before.</summary>
    /// <exception cref="RecallException">The model has no such layer.</exception>
    internal static int ClusterLayer(RecallOptions options, int layers)
    {
        int layer = options.ClusterLayer < 0 ? layers + 1 + options.ClusterLayer : options.ClusterLayer;
        if (layer >= 0 && layer <= layers) return layer;
        string what = $"cluster_layer: is {options.ClusterLayer}, the model has layers 0 (the embedding) to {layers}, or {-layers - 1} to -1 from the end";
        throw options.Place.File is null ? new RecallException(what) : options.Place.Error(what);
    }

    static void Advance(RepresentationStream stream, int layer, TileReader reader, CancellationToken cancellation)
    {
        if (layer == 0) stream.Embed(reader, cancellation);
        else stream.Block(layer, reader, cancellation);
    }

    static LayerStates States(RepresentationStream stream, int layer, int texts, Pooling? pooling) => pooling is { } kind
        ? new LayerStates(layer, stream.Pooled(kind)[0], [])
        : new LayerStates(layer, null, [.. Enumerable.Range(0, texts).Select(text => stream.Tokens(0, text))]);
}
