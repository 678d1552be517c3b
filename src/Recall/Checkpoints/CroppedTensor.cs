using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>The upper left corner of a matrix: its first rows and columns.</summary>
public sealed class CroppedTensor(TensorSource source, long rows, long columns) : TensorSource
{
    /// <inheritdoc/>
    public override string Name => source.Name;

    /// <inheritdoc/>
    public override Shape Shape { get; } = new(rows, columns);

    /// <inheritdoc/>
    public override DType DType => source.DType;

    /// <inheritdoc/>
    public override IEnumerable<StoredTensor> Stored => source.Stored;

    /// <inheritdoc/>
    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        if (columns == source.Shape[1])
        {
            source.Read(reader, start, destination);
            return;
        }
        while (destination.Length > 0)
        {
            var (row, column) = Math.DivRem(start, columns);
            int take = (int)Math.Min(columns - column, destination.Length);
            source.Read(reader, row * source.Shape[1] + column, destination[..take]);
            start += take;
            destination = destination[take..];
        }
    }
}
