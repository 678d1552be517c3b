using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;

namespace Recall.Representations;

/// <summary>
/// Layer weights of RECALL (arXiv 2510.20479), layer by layer: representations of the typical samples in every model → similarity to
/// the reference
/// model → weights. A merge asks for one layer at a time, while that layer's tensors are in memory; <see cref="Compute"/> goes through all.
/// </summary>
public sealed class RecallWeights : IDisposable
{
    readonly ImmutableArray<string> _names;
    readonly int _reference;
    readonly IReadOnlyList<Sample> _samples;
    readonly RecallOptions _options;
    readonly RepresentationStream _stream;
    readonly List<ModelWeights> _layers = [];

    /// <summary>Checks models and samples; reads nothing yet.</summary>
    /// <param name="models">Models of one architecture, with their names.</param>
    /// <param name="reference">The reference model's place among them.</param>
    /// <param name="samples">The typical samples: <see cref="Choose"/>.</param>
    /// <param name="options">Pooling, similarity, bandwidth, temperature, compute.</param>
    /// <exception cref="RecallException">Models without forward pass or of different sizes, or samples without tokens.</exception>
    public RecallWeights(
        IReadOnlyList<(string Name, Checkpoint Checkpoint)> models, int reference, IReadOnlyList<Sample> samples, RecallOptions options)
    {
        _names = [.. models.Select(model => model.Name)];
        _reference = reference;
        _samples = samples;
        _options = options;
        RequireTokens(samples);
        _stream = new RepresentationStream(models, [.. samples.Select(sample => sample.Ids)], options.Compute);
    }

    /// <summary>What the constructor checks, and the cluster layer, for candidates of which the samples have yet to be chosen.</summary>
    /// <exception cref="RecallException">See the constructor.</exception>
    public static void Check(IReadOnlyList<(string Name, Checkpoint Checkpoint)> models, IReadOnlyList<Sample> candidates, RecallOptions options)
    {
        RequireTokens(candidates);
        using var stream = new RepresentationStream(models, [candidates[0].Ids], options.Compute);
        stream.RequireTokens([.. candidates.Select(candidate => candidate.Ids)]);
        Represent.ClusterLayer(options, stream.Layers);
    }

    /// <summary>Number of blocks (L): there are weights for the layers 0 … L.</summary>
    public int Layers => _stream.Layers;

    /// <summary>The tensors of all models that a layer reads: of the embeddings some rows for 0, those of block l − 1 for l.</summary>
    public IEnumerable<TensorSource> Sources(int layer) => _stream.Sources(layer);

    /// <summary>
    /// The weights of a layer: 0 the embedding's output, l the output of block l − 1 counted from 0. Layers come in order.
    /// </summary>
    /// <param name="layer">0 … L.</param>
    /// <param name="reader">Reads the tensors; one over a <see cref="LayerBuffer"/> takes them from there.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="RecallException">Representations that are not finite, or samples too much alike for the similarity.</exception>
    public ModelWeights Layer(int layer, TileReader reader, CancellationToken cancellation = default)
    {
        if (layer == 0) _stream.Embed(reader, cancellation);
        else _stream.Block(layer, reader, cancellation);
        var weights = ModelWeights.Of(layer, _stream.Pooled(_options.Pooling), _names, _reference, _options);
        _layers.Add(weights);
        return weights;
    }

    /// <summary>All layers so far, with samples and options, as they are kept beside a merge.</summary>
    public WeightsFile ToFile() => new(_names, _names[_reference], [.. _samples], [.. _layers], _options);

    /// <summary>The weights of all layers, without a merge.</summary>
    /// <param name="models">Models of one architecture, with their names.</param>
    /// <param name="reference">The reference model's place among them.</param>
    /// <param name="samples">The typical samples: <see cref="Choose"/>.</param>
    /// <param name="options">Pooling, similarity, bandwidth, temperature, compute.</param>
    /// <param name="progress">Told of each layer.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="RecallException">See the constructor and <see cref="Layer"/>.</exception>
    /// <example><code>RecallWeights.Compute(models, models.Count - 1, samples, new RecallOptions { Temperature = 0.1
    /// }).Write("weights.json");</code></example>
    public static WeightsFile Compute(
        IReadOnlyList<(string Name, Checkpoint Checkpoint)> models, int reference, IReadOnlyList<Sample> samples, RecallOptions options,
        IProgress<ModelWeights>? progress = null, CancellationToken cancellation = default)
    {
        using var weights = new RecallWeights(models, reference, samples, options);
        var reader = new TileReader();
        for (int layer = 0; layer <= weights.Layers; layer++)
        {
            if (layer < weights.Layers) Prefetch(weights.Sources(layer + 1));
            var found = weights.Layer(layer, reader, cancellation);
            progress?.Report(found);
        }
        return weights.ToFile();
    }

    /// <summary>
    /// Chooses the typical samples among candidates: the reference model reads them up to the cluster layer. Where there are no more
    /// distinct texts
    /// than are asked for, all are taken and nothing is read.
    /// </summary>
    /// <param name="name">The reference model's name, for messages.</param>
    /// <param name="reference">The reference model.</param>
    /// <param name="candidates">The texts; <see cref="TypicalSamples.Draw"/> says which rows of a data set they are.</param>
    /// <param name="options">Cluster layer, pooling, count, seed, compute.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>The chosen, in the order of the candidates, with the sizes of their clusters.</returns>
    /// <exception cref="RecallException">No candidates, a model without forward pass, or a cluster layer that it does not have.</exception>
    public static IReadOnlyList<Sample> Choose(
        string name, Checkpoint reference, IReadOnlyList<Sample> candidates, RecallOptions options, CancellationToken cancellation = default)
    {
        RequireTokens(candidates);
        string[] texts = [.. candidates.Select(candidate => candidate.Text)];
        var chosen = TypicalSamples.WithoutClusters(texts, options.Count);
        if (chosen is null)
        {
            int[][] ids = [.. candidates.Select(candidate => candidate.Ids)];
            var representations = Represent.Pooled(name, reference, ids, options, cancellation);
            chosen = TypicalSamples.Choose(representations, texts, options.Count, options.Seed, cancellation);
        }
        return [.. chosen.Select(sample => candidates[sample.Row] with { ClusterSize = sample.ClusterSize })];
    }

    static void RequireTokens(IReadOnlyList<Sample> samples)
    {
        if (samples.Count == 0) throw new RecallException("recall: there are no samples: the file of samples holds no texts");
        foreach (var sample in samples)
        {
            if (sample.Ids.Length > 0) continue;
            throw new RecallException($"recall: the text of row {sample.Row + 1} of the samples is empty: it has no tokens; "
                + "take the row out, or mend the template 'text'");
        }
    }

    static void Prefetch(IEnumerable<TensorSource> sources)
    {
        foreach (var stored in sources.SelectMany(source => source.Stored)) stored.File.Prefetch(stored.Offset, stored.Length);
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();
}
