using Recall.Numerics;

namespace Recall.Checkpoints.Gguf;

/// <summary>A stored tensor whose values are changed or moved while they are read.</summary>
abstract class RearrangedTensor(string name, Shape shape, StoredTensor stored) : TensorSource
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override Shape Shape => shape;

    /// <inheritdoc/>
    public override DType DType => stored.DType;

    /// <inheritdoc/>
    public override IEnumerable<StoredTensor> Stored => [stored];

    /// <summary>The tensor in the file.</summary>
    protected StoredTensor File => stored;
}

/// <summary>
/// Query or key weights as transformers has them. llama.cpp interleaves the two halves of each head: row h·D + j·D/2 + i of Hugging Face is row
/// h·D + 2i + j of the file (D head size, j 0 or 1, i below D/2).
/// </summary>
sealed class UnpermutedHeads(string name, StoredTensor stored, long headRows) : RearrangedTensor(name, stored.Shape, stored)
{
    const long MostBytesAtOnce = 64 * 1024 * 1024;

    /// <inheritdoc/>
    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        long rowLength = File.Shape.Elements / File.Shape[0], head = -1;
        while (destination.Length > 0)
        {
            long row = start / rowLength, column = start % rowLength;
            if (row / headRows != head) Fetch(reader, head = row / headRows, rowLength);
            long half = headRows / 2, within = row % headRows;
            long storedRow = head * headRows + within % half * 2 + within / half;
            int taken = (int)Math.Min(rowLength - column, destination.Length);
            reader.Decode(File, storedRow * rowLength + column, destination[..taken]);
            start += taken;
            destination = destination[taken..];
        }
    }

    // The rows of a head are read to and fro: with the whole head in the reader's window each byte comes from the disk once.
    void Fetch(TileReader reader, long head, long rowLength)
    {
        long bytes = File.Encoding.Bytes(headRows * rowLength);
        if (bytes <= MostBytesAtOnce) reader.Bytes(File, head * bytes, (int)bytes);
    }
}

/// <summary>Weights of a norm that are stored with 1 added.</summary>
sealed class NormPlusOne(string name, StoredTensor stored) : RearrangedTensor(name, stored.Shape, stored)
{
    /// <inheritdoc/>
    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        reader.Decode(File, start, destination);
        for (int i = 0; i < destination.Length; i++) destination[i] -= 1;
    }
}

/// <summary>A matrix of which the file holds the transpose.</summary>
sealed class TransposedTensor(string name, StoredTensor stored) : RearrangedTensor(name, new Shape(stored.Shape[1], stored.Shape[0]), stored)
{
    /// <inheritdoc/>
    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        var values = reader.Whole(File);
        int rows = (int)File.Shape[0], columns = (int)File.Shape[1];
        for (int i = 0; i < destination.Length; i++)
        {
            var (row, column) = Math.DivRem(start + i, rows);
            destination[i] = values[(int)(column * columns + row)];
        }
    }
}
