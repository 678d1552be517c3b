using Recall.Numerics;

namespace Recall.Checkpoints.Safetensors;

/// <summary>A tensor in memory, to be written as it is.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">The type of its elements.</param>
/// <param name="Shape">Its extents.</param>
/// <param name="Data">Its elements, row-major, little-endian.</param>
public readonly record struct TensorBytes(string Name, DType Type, Shape Shape, ReadOnlyMemory<byte> Data)
{
    /// <summary>
    /// A tensor of float32 values, rounded once to nearest even where <paramref name="type"/> is narrower; float32 by default.
    /// </summary>
    public static TensorBytes Of(string name, Shape shape, ReadOnlySpan<float> values, DType type = DType.F32)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, shape.Elements);
        var data = new byte[checked(values.Length * type.Size())];
        PlainEncoding.Of(type).Encode(values, data);
        return new TensorBytes(name, type, shape, data);
    }
}

/// <summary>Writes safetensors files that fit in memory: adapters, statistics, small models.</summary>
public static class SafetensorsWriter
{
    /// <summary>
    /// Writes a file beside its place and renames it when it is whole, so that a reader never finds half a file.
    /// Tensors stand in the order given.
    /// </summary>
    /// <param name="path">The file; one that is there is replaced.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="metadata">The strings of <c>__metadata__</c>; <see cref="SafetensorsHeader.TorchMetadata"/> by default.</param>
    /// <exception cref="RecallException">The disk refuses, or two tensors have one name.</exception>
    public static void Write(string path, IEnumerable<TensorBytes> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var all = tensors.ToList();
        foreach (var tensor in all)
            ArgumentOutOfRangeException.ThrowIfNotEqual(tensor.Data.Length, tensor.Shape.Elements * tensor.Type.Size(), tensor.Name);
        var (header, _, _) = SafetensorsHeader.Make(
            all.Select(tensor => (tensor.Name, tensor.Type, tensor.Shape)), metadata ?? SafetensorsHeader.TorchMetadata);
        WholeFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach (var tensor in all) stream.Write(tensor.Data.Span);
        });
    }
}
