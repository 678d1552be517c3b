using System.Collections.Immutable;
using Recall.Checkpoints;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>Computes a linear layer of some block, in place of its own weights: see <see cref="LinearLayer"/>.</summary>
public delegate Tensor ModelLinearLayer(Block block, string name, Tensor input);

/// <summary>A language model with all its weights in memory, for training and generation.</summary>
public sealed class LanguageModel : IDisposable
{
    readonly ImmutableArray<Block> _blocks;

    LanguageModel(BlockOptions options, ScalarType type, ImmutableSortedDictionary<string, Tensor> weights)
    {
        Options = options;
        Type = type;
        Weights = weights;
        _blocks =
        [
            .. Enumerable.Range(0, options.Layers).Select(layer => new Block(options, layer,
                options.LayerTensors().ToImmutableDictionary(tensor => tensor.Name, tensor => weights[options.NameOf(layer, tensor.Name)]))),
        ];
    }

    /// <summary>Sizes and kinds.</summary>
    public BlockOptions Options { get; }

    /// <summary>Type of weights and hidden states.</summary>
    public ScalarType Type { get; }

    /// <summary>All weights, by their names in the checkpoint. A tied head is not among them.</summary>
    public ImmutableSortedDictionary<string, Tensor> Weights { get; }

    /// <summary>The blocks, from the bottom.</summary>
    public IReadOnlyList<Block> Blocks => _blocks;

    /// <summary>Reads a model. All its tensors are looked at before one is read.</summary>
    /// <exception cref="RecallException">No forward pass for the family, or tensors that do not fit the config.</exception>
    public static LanguageModel Load(Checkpoint checkpoint, ScalarType type = ScalarType.Float32, CancellationToken cancellation = default)
    {
        TorchMemory.Keep();
        var options = BlockOptions.Read(checkpoint);
        var tensors = Tensors(options, checkpoint).ToList();
        foreach (var (name, shape) in tensors) checkpoint.Require(name, shape);
        var weights = ImmutableSortedDictionary.CreateBuilder<string, Tensor>(StringComparer.Ordinal);
        var reader = new TileReader();
        try
        {
            foreach (var (name, shape) in tensors)
            {
                cancellation.ThrowIfCancellationRequested();
                weights.Add(name, checkpoint.Read(name, shape, type, reader));
            }
        }
        catch
        {
            foreach (var tensor in weights.Values) tensor.Dispose();
            throw;
        }
        return new LanguageModel(options, type, weights.ToImmutable());
    }

    static IEnumerable<(string Name, Shape Shape)> Tensors(BlockOptions options, Checkpoint checkpoint)
    {
        yield return (options.Names.Embedding, new Shape(options.VocabularySize, options.HiddenSize));
        for (int layer = 0; layer < options.Layers; layer++)
        {
            foreach (var (name, shape) in options.LayerTensors()) yield return (options.NameOf(layer, name), shape);
        }
        yield return (options.Names.FinalNorm, new Shape(options.HiddenSize));
        if (!options.TiedEmbeddings) yield return (options.Names.Head, new Shape(options.VocabularySize, options.HiddenSize));
    }

    /// <summary>What goes into the first block.</summary>
    public Tensor Embed(Tensor ids)
    {
        // [B, T] int64 → [B, T, d]
        using var flat = ids.reshape(-1);
        using var rows = Weights[Options.Names.Embedding].index_select(0, flat);
        return rows.view(ids.shape[0], ids.shape[1], Options.HiddenSize);
    }

    /// <summary>All blocks, one after the other: the last one's output, before the final norm.</summary>
    public Tensor Forward(Tensor ids, AttentionContext context, ModelLinearLayer? linear = null, KeyValueCache? cache = null)
    {
        // [B, T] int64 → [B, T, d]
        using var scope = NewDisposeScope();
        var hidden = Embed(ids);
        foreach (var block in _blocks)
        {
            var next = block.Forward(hidden, context, linear is null ? null : (name, input) => linear(block, name, input), cache);
            hidden.Dispose();
            hidden = next;
        }
        cache?.Advance(ids.shape[1]);
        return hidden.MoveToOuterDisposeScope();
    }

    /// <summary>The final norm of the last block's output.</summary>
    public Tensor Normalize(Tensor hidden) =>
        // [..., d] → [..., d]
        Block.RmsNorm(hidden, Weights[Options.Names.FinalNorm], Options.NormEpsilon);

    /// <summary>A score for every token of the vocabulary, from the last block's output.</summary>
    public Tensor Logits(Tensor hidden)
    {
        // [..., d] → [..., V]
        using var normed = Normalize(hidden);
        return nn.functional.linear(normed, Weights[Options.TiedEmbeddings ? Options.Names.Embedding : Options.Names.Head]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in Weights.Values) tensor.Dispose();
    }
}
