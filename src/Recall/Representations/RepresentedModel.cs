using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Configuration;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>One model of a <see cref="RepresentationStream"/>: its options and the hidden states of the texts, batch by batch.</summary>
sealed class RepresentedModel(string name, Checkpoint checkpoint) : IDisposable
{
    /// <summary>Rows of the head that are in memory at a time.</summary>
    const int HeadRows = 4096;

    Tensor[] _hidden = [];                          // [B, T, d] each
    ImmutableArray<AttentionContext> _contexts = [];
    bool _ownContexts;

    public string Name => name;

    public Checkpoint Checkpoint => checkpoint;

    public BlockOptions Options { get; } = BlockOptions.Read(checkpoint);

    public void RequireSameSizes(RepresentedModel first)
    {
        if (Options.Layers != first.Options.Layers || Options.HiddenSize != first.Options.HiddenSize)
        {
            throw new RecallException($"{first.Name} has {first.Options.Layers} layers of hidden size {first.Options.HiddenSize}, {Name} has "
                + $"{Options.Layers} of {Options.HiddenSize}: their representations cannot be compared");
        }
        var different = Options.DifferenceFrom(first.Options);
        if (different.Name is null) return;
        throw new RecallException($"{first.Name} and {Name} have different blocks: {different.Name} has shape {different.Shape} in one of them only");
    }

    public void RequireTokens(IReadOnlyList<int[]> texts)
    {
        for (int text = 0; text < texts.Count; text++)
        {
            foreach (int id in texts[text])
            {
                if (id >= 0 && id < Options.VocabularySize) continue;
                throw new RecallException($"{Name}: text {text + 1} has the token id {id}; the model's vocabulary has {Options.VocabularySize}: "
                    + "is the tokenizer that of this model?");
            }
        }
    }

    public IEnumerable<TensorSource> Sources(int layer) => layer == 0
        ? [checkpoint.Require(Options.Names.Embedding, Options.EmbeddingShape)]
        : Options.LayerTensors(layer - 1).Select(tensor => checkpoint.Require(Options.NameOf(layer - 1, tensor.Name), tensor.Shape));

    /// <summary>Prepares positions and masks; those of the first model serve all that turn the same way.</summary>
    public void Begin(ImmutableArray<TokenBatch> batches, RepresentedModel first, ScalarType type)
    {
        _ownContexts = ReferenceEquals(this, first) || !Options.SamePositions(first.Options);
        _contexts = _ownContexts ? [.. batches.Select(batch => AttentionContext.Of(Options, batch, type))] : first._contexts;
    }

    public void Embed(ImmutableArray<TokenBatch> batches, ScalarType type, TileReader reader)
    {
        var embedding = new TokenEmbedding(checkpoint, Options, batches, reader);
        _hidden = [.. batches.Select(batch => embedding.Of(batch, type).DetachFromDisposeScope())];
    }

    public void Forward(Block block, CancellationToken cancellation)
    {
        // Same sizes, but each model turns positions and looks back in its own way.
        block = block with { Options = Options };
        for (int batch = 0; batch < _hidden.Length; batch++)
        {
            cancellation.ThrowIfCancellationRequested();
            var before = _hidden[batch];
            _hidden[batch] = block.Forward(before, _contexts[batch]).DetachFromDisposeScope();
            before.Dispose();
        }
    }

    public PooledStates Pool(ImmutableArray<TokenBatch> batches, Pooling pooling)
    {
        var states = new PooledStates(batches.Sum(batch => batch.Texts.Length), Options.HiddenSize);
        for (int i = 0; i < batches.Length; i++)
        {
            using var pooled = batches[i].Pool(_hidden[i], pooling);
            var values = MemoryMarshal.Cast<byte, float>(pooled.bytes);
            for (int row = 0; row < batches[i].Texts.Length; row++)
                for (int j = 0; j < Options.HiddenSize; j++) states[batches[i].Texts[row]][j] = values[row * Options.HiddenSize + j];
        }
        return states;
    }

    public float[] Tokens(ImmutableArray<TokenBatch> batches, int text)
    {
        using var scope = NewDisposeScope();
        return MemoryMarshal.Cast<byte, float>(States(batches, text).to_type(ScalarType.Float32).contiguous().bytes).ToArray();
    }

    public float[] Logits(ImmutableArray<TokenBatch> batches, int text, ScalarType type, TileReader reader)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        int hidden = Options.HiddenSize, vocabulary = Options.VocabularySize;
        using var head = ModelHead.Read(checkpoint, Options, type, reader);
        var source = checkpoint.Require(Options.HeadWeight, Options.EmbeddingShape);
        var states = head.Normalize(States(batches, text));
        var logits = new float[states.shape[0] * vocabulary];
        var weights = empty([HeadRows, hidden], type);
        for (int first = 0; first < vocabulary; first += HeadRows)
        {
            using var part = NewDisposeScope();
            int count = Math.Min(HeadRows, vocabulary - first);
            var rows = weights.narrow(0, 0, count);
            new RowRange(source, first, count).ReadInto(rows, reader);
            var values = MemoryMarshal.Cast<byte, float>(head.Scores(states, rows, first).to_type(ScalarType.Float32).contiguous().bytes);
            for (int token = 0; token < states.shape[0]; token++)
                values.Slice(token * count, count).CopyTo(logits.AsSpan(token * vocabulary + first));
        }
        return logits;
    }

    /// <summary>The states of single tokens, in the order of the places; the caller's to dispose.</summary>
    public Tensor At(ImmutableArray<TokenBatch> batches, IReadOnlyList<(int Text, int Token)> places)
    {
        // → [places, d]
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var rows = new Dictionary<int, (int Batch, int Row)>();
        for (int batch = 0; batch < batches.Length; batch++)
            for (int row = 0; row < batches[batch].Texts.Length; row++) rows.Add(batches[batch].Texts[row], (batch, row));
        var (parts, order, at) = (new List<Tensor>(), new long[places.Count], 0L);
        foreach (var batch in Enumerable.Range(0, places.Count).GroupBy(place => rows[places[place].Text].Batch))
        {
            var hidden = _hidden[batch.Key];
            long longest = hidden.shape[1];
            long[] flat = [.. batch.Select(place => rows[places[place].Text].Row * longest + places[place].Token)];
            parts.Add(hidden.reshape(-1, Options.HiddenSize).index_select(0, tensor(flat)));
            foreach (int place in batch) order[place] = at++;
        }
        return cat(parts).index_select(0, tensor(order)).DetachFromDisposeScope();
    }

    Tensor States(ImmutableArray<TokenBatch> batches, int text)
    {
        // → [T, d] of the real tokens
        for (int i = 0; i < batches.Length; i++)
        {
            int row = batches[i].Texts.IndexOf(text);
            if (row >= 0) return _hidden[i][row].narrow(0, 0, batches[i].Lengths[row]);
        }
        throw new ArgumentOutOfRangeException(nameof(text));
    }

    public void Dispose()
    {
        foreach (var hidden in _hidden) hidden.Dispose();
        if (!_ownContexts) return;
        foreach (var context in _contexts) context.Dispose();
    }
}
