using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>
/// What a checkpoint gives for a name: a tensor whose values can be read piece by piece, in row-major order, as float32.
/// A source may lie in a file as it is (<see cref="StoredTensor"/>) or be made from others while reading (a LoRA update, permuted rows).
/// </summary>
public abstract class TensorSource
{
    /// <summary>Name, as the checkpoint's family writes it: <c>model.layers.0.mlp.up_proj.weight</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Extents.</summary>
    public abstract Shape Shape { get; }

    /// <summary>The type in which the values would be written without loss; F32 for quantised tensors.</summary>
    public abstract DType DType { get; }

    /// <summary>Reads the values of elements <paramref name="start"/> … <paramref name="start"/> + length of <paramref name="destination"/>.</summary>
    public abstract void Read(TileReader reader, long start, Span<float> destination);

    /// <summary>The stored tensor whose bytes are this tensor's bytes in <see cref="DType"/>, where there is one: it can be copied as it is.</summary>
    public virtual StoredTensor? Verbatim => null;

    /// <summary>The stored tensors from which the values are made.</summary>
    public abstract IEnumerable<StoredTensor> Stored { get; }
}

/// <summary>A tensor as it lies in a file.</summary>
/// <param name="name">Its name.</param>
/// <param name="shape">Its extents.</param>
/// <param name="encoding">How its elements lie in bytes.</param>
/// <param name="file">The file.</param>
/// <param name="offset">Where its bytes begin in the file; its length follows from shape and encoding and has been checked against the file.</param>
public sealed class StoredTensor(string name, Shape shape, TensorEncoding encoding, DataFile file, long offset) : TensorSource
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override Shape Shape => shape;

    /// <inheritdoc/>
    public override DType DType => encoding.DType;

    /// <summary>How its elements lie in bytes.</summary>
    public TensorEncoding Encoding => encoding;

    /// <summary>The file.</summary>
    public DataFile File => file;

    /// <summary>Where its bytes begin in the file.</summary>
    public long Offset => offset;

    /// <summary>Bytes in the file.</summary>
    public long Length => encoding.Bytes(shape.Elements);

    /// <inheritdoc/>
    public override StoredTensor? Verbatim => encoding is PlainEncoding ? this : null;

    /// <inheritdoc/>
    public override IEnumerable<StoredTensor> Stored => [this];

    /// <inheritdoc/>
    public override void Read(TileReader reader, long start, Span<float> destination) => reader.Decode(this, start, destination);
}
