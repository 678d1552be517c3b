using Recall.Checkpoints;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Streaming;

/// <summary>A tensor of the output as it was written, rounding and all, read back while the output is unfinished.</summary>
sealed class WrittenTensor(OutputTensor tensor, OutputWriter writer) : TensorSource
{
    public override string Name => tensor.Name;

    public override Shape Shape => tensor.Shape;

    public override DType DType => tensor.DType;

    public override IEnumerable<StoredTensor> Stored => [];

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        var encoding = PlainEncoding.Of(tensor.DType);
        var bytes = new byte[(int)encoding.Bytes(destination.Length)];
        writer[tensor.Shard].Read(tensor.Offset + encoding.Bytes(start), bytes);
        encoding.Decode(bytes, destination);
    }
}
