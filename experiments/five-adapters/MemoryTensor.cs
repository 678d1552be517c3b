using Recall.Checkpoints;
using Recall.Numerics;

namespace FiveAdapters;

/// <summary>A tensor in memory.</summary>
sealed class MemoryTensor(string name, Shape shape, float[] values) : TensorSource
{
    public override string Name => name;

    public override Shape Shape => shape;

    public override DType DType => DType.F32;

    public override IEnumerable<StoredTensor> Stored => [];

    public override void Read(TileReader reader, long start, Span<float> destination) =>
        values.AsSpan((int)start, destination.Length).CopyTo(destination);
}
