using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>A tensor times a number.</summary>
sealed class ScaledTensor(TensorSource source, double scale) : TensorSource
{
    public override string Name => source.Name;

    public override Shape Shape => source.Shape;

    public override DType DType => source.DType;

    public override IEnumerable<StoredTensor> Stored => source.Stored;

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        source.Read(reader, start, destination);
        Elementwise.Scale(destination, (float)scale, destination);
    }
}
