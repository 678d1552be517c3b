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
    readonly ModelHead _head;

    LanguageModel(BlockOptions options, ScalarType type, ImmutableSortedDictionary<string, Tensor> weights)
    {
        Options = options;
        Type = type;
        Weights = weights;
        _head = new ModelHead(options, weights);
        _blocks =
        [
            .. Enumerable.Range(0, options.Layers).Select(layer => new Block(options, layer,
                options.LayerTensors(layer).ToImmutableDictionary(tensor => tensor.Name, tensor => weights[options.NameOf(layer, tensor.Name)]))),
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
        TorchProcess.Prepare();
        var options = BlockOptions.Read(checkpoint);
        var tensors = Tensors(options).ToList();
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

    static IEnumerable<(string Name, Shape Shape)> Tensors(BlockOptions options)
    {
        foreach (var tensor in options.OuterTensors()) yield return tensor;
        for (int layer = 0; layer < options.Layers; layer++)
            foreach (var (name, shape) in options.LayerTensors(layer)) yield return (options.NameOf(layer, name), shape);
    }

    /// <summary>What goes into the first block.</summary>
    /// <exception cref="RecallException">More tokens than the model has positions.</exception>
    public Tensor Embed(Tensor ids, AttentionContext context)
    {
        // [B, T] int64 → [B, T, d]
        using var scope = NewDisposeScope();
        var states = Rows(Options.Names.Embedding, ids);
        if (Options.EmbeddingScale != 1) states = states.Times(Options.EmbeddingScale);
        if (!Options.HasPositionTable) return states.MoveToOuterDisposeScope();
        TokenEmbedding.RequirePositions(Options, context.Positions.max().item<long>() + 1, Options.Names.ModelType);
        var positions = Options.Traits.PositionOffset == 0 ? context.Positions : context.Positions.Plus(tensor((long)Options.Traits.PositionOffset));
        return states.Plus(Rows(Options.Names.Positions, positions)).MoveToOuterDisposeScope();
    }

    Tensor Rows(string table, Tensor numbers)
    {
        // [B, T] int64 → [B, T, d]
        using var flat = numbers.reshape(-1);
        using var rows = Weights[table].index_select(0, flat);
        return rows.view(numbers.shape[0], numbers.shape[1], Options.HiddenSize);
    }

    /// <summary>All blocks, one after the other: the last one's output, before the final norm.</summary>
    public Tensor Forward(Tensor ids, AttentionContext context, ModelLinearLayer? linear = null, KeyValueCache? cache = null)
    {
        // [B, T] int64 → [B, T, d]
        using var scope = NewDisposeScope();
        var hidden = Embed(ids, context);
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
    public Tensor Normalize(Tensor hidden) => _head.Normalize(hidden);

    /// <summary>A score for every token of the vocabulary, from the last block's output.</summary>
    public Tensor Logits(Tensor hidden)
    {
        // [..., d] → [..., V]
        using var normed = Normalize(hidden);
        return _head.Scores(normed, Weights[Options.HeadWeight]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in Weights.Values) tensor.Dispose();
    }
}
