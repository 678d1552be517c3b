using Recall.Numerics;

namespace Recall.Checkpoints.Pickle;

/// <summary>The elements of a type one after the other, big-endian.</summary>
sealed class SwappedEncoding(DType type) : TensorEncoding
{
    const int StackBytes = 4096;

    /// <inheritdoc/>
    public override string Name => $"{type.SafetensorsName()} (big-endian)";

    /// <inheritdoc/>
    public override int BlockElements => 1;

    /// <inheritdoc/>
    public override int BlockBytes => type.Size();

    /// <inheritdoc/>
    public override DType DType => type;

    /// <inheritdoc/>
    public override void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(source.Length, destination.Length * BlockBytes);
        Span<byte> swapped = stackalloc byte[StackBytes];
        while (source.Length > 0)
        {
            var piece = swapped[..Math.Min(StackBytes, source.Length)];
            source[..piece.Length].CopyTo(piece);
            for (int i = 0; i < piece.Length; i += BlockBytes) piece.Slice(i, BlockBytes).Reverse();
            int elements = piece.Length / BlockBytes;
            PlainEncoding.Of(type).Decode(piece, destination[..elements]);
            source = source[piece.Length..];
            destination = destination[elements..];
        }
    }
}
