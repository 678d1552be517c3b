using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>A small tensor that is in memory, in no file: float32.</summary>
/// <param name="name">Its name.</param>
/// <param name="shape">Its extents.</param>
/// <param name="values">Its values, in row-major order.</param>
sealed class ComputedTensor(string name, Shape shape, ReadOnlyMemory<float> values) : TensorSource
{
    public override string Name => name;

    public override Shape Shape => shape;

    public override DType DType => DType.F32;

    public override IEnumerable<StoredTensor> Stored => [];

    public override void Read(TileReader reader, long start, Span<float> destination) =>
        values.Span.Slice((int)start, destination.Length).CopyTo(destination);
}
