using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Configuration;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// The forward side of the layer stream: several models read the same texts, layer by layer from the bottom. Between two layers only
/// the hidden
/// states of the texts are kept; of the weights there is one layer of one model at a time, in tensors that are filled anew.
/// </summary>
public sealed class RepresentationStream : IDisposable
{
    /// <summary>
    /// Tokens of a batch: enough that matrix products run at full speed, few enough that what lies between them stays small.
    /// </summary>
    const int BatchTokens = 1024;

    readonly ImmutableArray<RepresentedModel> _models;
    readonly ImmutableArray<TokenBatch> _batches;
    readonly ImmutableArray<int> _distinct;     // for each text the first one with the same tokens, counted among distinct ones
    readonly LayerWeights _weights;
    readonly ScalarType _type;
    int _next;

    /// <summary>Checks models and texts, and reads nothing yet.</summary>
    /// <param name="models">Models of one architecture, with their names for messages.</param>
    /// <param name="texts">Token ids of each text, the same for all models; texts with the same ids go through once.</param>
    /// <param name="compute">The type of the forward passes.</param>
    /// <exception cref="RecallException">No forward pass for a model, models of different sizes, or ids outside a vocabulary.</exception>
    public RepresentationStream(IReadOnlyList<(string Name, Checkpoint Checkpoint)> models, IReadOnlyList<int[]> texts, ComputeType compute)
    {
        TorchProcess.Prepare();
        _type = ComputeTypes.Of(compute);
        _models = [.. models.Select(model => new RepresentedModel(model.Name, model.Checkpoint))];
        foreach (var model in _models)
        {
            model.RequireSameSizes(_models[0]);
            model.RequireTokens(texts);
        }
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var distinct = new List<int[]>();
        _distinct =
        [
            .. texts.Select(ids =>
            {
                ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(numbers, new string(MemoryMarshal.Cast<int, char>(ids)), out bool known);
                if (!known)
                {
                    number = distinct.Count;
                    distinct.Add(ids);
                }
                return number;
            }),
        ];
        _batches = [.. TokenBatch.ByLength(distinct, BatchTokens)];
        _weights = new LayerWeights(_models[0].Options, _type);
        foreach (var model in _models) model.Begin(_batches, _models[0], _type);
    }

    /// <summary>Checks other texts against the vocabularies.</summary>
    internal void RequireTokens(IReadOnlyList<int[]> texts)
    {
        foreach (var model in _models) model.RequireTokens(texts);
    }

    /// <summary>Number of blocks (L).</summary>
    public int Layers => _models[0].Options.Layers;

    /// <summary>The tensors of all models that a layer reads: the embeddings for 0, those of block l − 1 for l.</summary>
    public IEnumerable<TensorSource> Sources(int layer) => _models.SelectMany(model => model.Sources(layer));

    /// <summary>Looks the texts' tokens up in every model's embedding, of which only their rows are read: layer 0.</summary>
    public void Embed(TileReader reader, CancellationToken cancellation = default)
    {
        if (_next++ != 0) throw new InvalidOperationException("the embedding comes first, and once");
        using var quiet = no_grad();
        foreach (var model in _models)
        {
            cancellation.ThrowIfCancellationRequested();
            model.Embed(_batches, _type, reader);
        }
    }

    /// <summary>Runs the block l − 1, counted from 0, of every model: layer l. Layers come in order, 1 … L.</summary>
    public void Block(int layer, TileReader reader, CancellationToken cancellation = default)
    {
        if (layer != _next++ || layer < 1 || layer > Layers) throw new InvalidOperationException($"layer {layer} is not the next one");
        using var quiet = no_grad();
        foreach (var model in _models)
        {
            cancellation.ThrowIfCancellationRequested();
            model.Forward(_weights.Read(model.Checkpoint, layer - 1, reader), cancellation);
        }
    }

    /// <summary>One vector a text and model, from the layer computed last: for each model [texts, hidden].</summary>
    /// <exception cref="RecallException">Values that are not finite; the message names model and layer.</exception>
    public ImmutableArray<PooledStates> Pooled(Pooling pooling) => [.. _models.Select(model => Pooled(model, pooling))];

    PooledStates Pooled(RepresentedModel model, Pooling pooling)
    {
        var states = model.Pool(_batches, pooling);
        states.RequireFinite(model.Name, _next - 1);
        return states.Take(_distinct);
    }

    /// <summary>The hidden states of the layer computed last, of every token of a text in a model: [tokens, hidden], row-major.</summary>
    public float[] Tokens(int model, int text) => _models[model].Tokens(_batches, _distinct[text]);

    /// <summary>
    /// Scores of every token of the vocabulary at every token of a text, after the last layer: [tokens, vocabulary], row-major.
    /// </summary>
    public float[] Logits(int model, int text, TileReader reader)
    {
        if (_next != Layers + 1) throw new InvalidOperationException("scores come after the last layer");
        return _models[model].Logits(_batches, _distinct[text], _type, reader);
    }

    /// <summary>The states of single tokens after the layer computed last: [places, hidden], the caller's to dispose.</summary>
    internal Tensor States(int model, IReadOnlyList<(int Text, int Token)> places) =>
        _models[model].At(_batches, [.. places.Select(place => (_distinct[place.Text], place.Token))]);

    /// <inheritdoc/>
    public void Dispose()
    {
        _weights.Dispose();
        foreach (var model in _models) model.Dispose();
        foreach (var batch in _batches) batch.Dispose();
    }
}
