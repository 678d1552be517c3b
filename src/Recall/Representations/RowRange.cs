using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Representations;

/// <summary>Some rows of a matrix.</summary>
sealed class RowRange(TensorSource whole, long first, int count) : TensorSource
{
    public override string Name => whole.Name;

    public override Shape Shape { get; } = new(count, whole.Shape.RowLength);

    public override DType DType => whole.DType;

    public override IEnumerable<StoredTensor> Stored => whole.Stored;

    public override void Read(TileReader reader, long start, Span<float> destination) =>
        whole.Read(reader, first * Shape.RowLength + start, destination);
}
