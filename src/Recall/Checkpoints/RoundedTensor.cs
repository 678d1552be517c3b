using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>
/// A tensor whose values are rounded to a narrower type while they are read: what mergekit's <c>dtype</c> means (a cast on load).
/// </summary>
public sealed class RoundedTensor(TensorSource source, DType type) : TensorSource
{
    [ThreadStatic]
    static byte[]? t_bytes;

    /// <inheritdoc/>
    public override string Name => source.Name;

    /// <inheritdoc/>
    public override Shape Shape => source.Shape;

    /// <inheritdoc/>
    public override DType DType => type;

    /// <inheritdoc/>
    public override IEnumerable<StoredTensor> Stored => source.Stored;

    /// <inheritdoc/>
    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        source.Read(reader, start, destination);
        var encoding = PlainEncoding.Of(type);
        int length = destination.Length * encoding.BlockBytes;
        if (t_bytes is null || t_bytes.Length < length) t_bytes = new byte[length];
        encoding.Encode(destination, t_bytes.AsSpan(0, length));
        encoding.Decode(t_bytes.AsSpan(0, length), destination);
    }
}
