using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// An embedding of which some rows are new: PEFT's trainable tokens. The adapter holds the rows themselves, not differences.
/// </summary>
/// <param name="source">The embedding, [vocabulary, hidden].</param>
/// <param name="rows">The new rows, [tokens, hidden].</param>
/// <param name="tokens">Which row of the embedding each is.</param>
sealed class TokenRowsTensor(TensorSource source, StoredTensor rows, IReadOnlyList<long> tokens) : TensorSource
{
    public override string Name => source.Name;

    public override Shape Shape => source.Shape;

    public override DType DType => source.DType;

    public override IEnumerable<StoredTensor> Stored => [.. source.Stored, rows];

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        source.Read(reader, start, destination);
        var values = reader.Whole(rows);
        long width = source.Shape.RowLength, end = start + destination.Length;
        for (int i = 0; i < tokens.Count; i++)
        {
            long first = Math.Max(start, tokens[i] * width), last = Math.Min(end, (tokens[i] + 1) * width);
            if (first >= last) continue;
            values.Slice((int)(i * width + first - tokens[i] * width), (int)(last - first)).CopyTo(destination[(int)(first - start)..]);
        }
    }
}
