using System.Runtime.InteropServices;
using Recall.Checkpoints;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>What goes into the first block, of which only the rows of the texts' tokens are read.</summary>
sealed class TokenEmbedding
{
    readonly BlockOptions _options;
    readonly Dictionary<long, float[]> _rows = [];
    readonly float[] _positions;     // [longest, d], where positions are a table

    /// <summary>Reads the rows that the batches need.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">Sizes and kinds.</param>
    /// <param name="batches">The texts, padded at their end.</param>
    /// <param name="reader">Reads.</param>
    /// <exception cref="RecallException">A text with more tokens than the model has positions.</exception>
    public TokenEmbedding(Checkpoint model, BlockOptions options, IReadOnlyList<TokenBatch> batches, TileReader reader)
    {
        _options = options;
        var embedding = model.Require(options.Names.Embedding, options.EmbeddingShape);
        reader.BeginTensor();
        foreach (long id in batches.SelectMany(batch => batch.Ids.data<long>()).Distinct().Order())
            _rows.Add(id, Row(embedding, id, reader));
        int longest = options.HasPositionTable ? batches.Max(batch => batch.Lengths.Max()) : 0;
        RequirePositions(options, longest, model.Path);
        _positions = new float[(long)longest * options.HiddenSize];
        if (longest == 0) return;
        var positions = model.Require(options.Names.Positions, options.PositionShape);
        reader.BeginTensor();
        for (int i = 0; i < longest; i++) Row(positions, i + options.Traits.PositionOffset, reader).CopyTo(_positions, i * options.HiddenSize);
    }

    /// <summary>A table of positions ends somewhere.</summary>
    /// <exception cref="RecallException">A text with more tokens.</exception>
    public static void RequirePositions(BlockOptions options, long longest, string where)
    {
        if (options.HasPositionTable && longest > options.MaxPositions)
            throw new RecallException($"{where}: a text has {longest} tokens; the model has positions for {options.MaxPositions}: cut the texts (max_tokens)");
    }

    float[] Row(TensorSource source, long row, TileReader reader)
    {
        int size = _options.HiddenSize;
        reader.Begin(size);
        var values = new float[size];
        source.Read(reader, row * size, values);
        return values;
    }

    /// <summary>The states of a batch.</summary>
    public Tensor Of(TokenBatch batch, ScalarType type)
    {
        // [B, T] → [B, T, d]
        int size = _options.HiddenSize;
        using var scope = NewDisposeScope();
        var states = empty([.. batch.Ids.shape, size], ScalarType.Float32);
        var values = MemoryMarshal.Cast<byte, float>(states.bytes);
        int at = 0;
        foreach (long id in batch.Ids.data<long>())
        {
            _rows[id].CopyTo(values[at..]);
            at += size;
        }
        if (_options.EmbeddingScale != 1) states = states.Times(_options.EmbeddingScale);
        if (_options.HasPositionTable) states = states.Plus(tensor(_positions, [_positions.Length / size, size]).narrow(0, 0, batch.Ids.shape[1]));
        return states.to_type(type).MoveToOuterDisposeScope();
    }
}
