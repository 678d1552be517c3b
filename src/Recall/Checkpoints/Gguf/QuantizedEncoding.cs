using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using Recall.Numerics;

namespace Recall.Checkpoints.Gguf;

/// <summary>
/// A quantised type of GGUF, as ggml's <c>dequantize_row_*</c> defines it: blocks of small integers with a scale each. Products are rounded before
/// sums (no fused multiply-add), and scales are multiplied first, so that the float32 values are ggml's bit for bit.
/// </summary>
abstract class QuantizedEncoding(string name, int blockElements, int blockBytes) : TensorEncoding
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override int BlockElements => blockElements;

    /// <inheritdoc/>
    public override int BlockBytes => blockBytes;

    /// <inheritdoc/>
    public override DType DType => DType.F32;

    /// <inheritdoc/>
    public override void Decode(ReadOnlySpan<byte> source, Span<float> destination)
        => Decode(source, destination, Vector128.IsHardwareAccelerated);

    /// <summary>Decodes with or without vectors: the results are the same.</summary>
    internal void Decode(ReadOnlySpan<byte> source, Span<float> destination, bool vectors)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(source.Length % BlockBytes, 0);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length / BlockBytes * BlockElements);
        if (vectors) DecodeVectors(source, destination);
        else DecodeScalars(source, destination);
    }

    /// <summary>The definition, element by element.</summary>
    protected abstract void DecodeScalars(ReadOnlySpan<byte> source, Span<float> destination);

    /// <summary>The same, many elements at a time.</summary>
    protected abstract void DecodeVectors(ReadOnlySpan<byte> source, Span<float> destination);

    /// <summary>The half-precision number at a place.</summary>
    protected static float Half(ReadOnlySpan<byte> block, int at) => (float)BinaryPrimitives.ReadHalfLittleEndian(block[at..]);
}
