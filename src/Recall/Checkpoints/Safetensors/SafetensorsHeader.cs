using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using Recall.Numerics;

namespace Recall.Checkpoints.Safetensors;

/// <summary>
/// The beginning of a safetensors file: length, JSON object, spaces up to a multiple of 8. It depends on names, types and shapes alone, so
/// that the place of every tensor is known before its values are.
/// </summary>
public static class SafetensorsHeader
{
    /// <summary>What transformers expects to find in <c>__metadata__</c>: the tensors are those of PyTorch.</summary>
    public static IReadOnlyDictionary<string, string> TorchMetadata { get; } =
        new Dictionary<string, string>(StringComparer.Ordinal) { ["format"] = "pt" };

    /// <summary>Makes the header of a file that holds these tensors one after the other, in this order, without gaps.</summary>
    /// <param name="tensors">Names, types and shapes.</param>
    /// <param name="metadata">The strings of <c>__metadata__</c>; none by default.</param>
    /// <returns>
    /// The bytes with which the file begins; for each tensor, in the order given, where its data begins, counted from the beginning of the
    /// file; and the length of the whole file.
    /// </returns>
    /// <exception cref="RecallException">Two tensors of one name, or a header longer than readers take.</exception>
    public static (byte[] Header, long[] Offsets, long TotalLength) Make(
        IEnumerable<(string Name, DType Type, Shape Shape)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Advance(Prefix(buffer));
        var offsets = new List<long>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        long end = 0;
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 }) WriteMetadata(json, metadata);
            foreach (var (name, type, shape) in tensors)
            {
                if (name == "__metadata__" || !names.Add(name))
                    throw new RecallException($"a safetensors file cannot hold {Quoted.Of(name)} twice");
                offsets.Add(end);
                end = checked(end + shape.Elements * type.Size());
                WriteTensor(json, name, type, shape, offsets[^1], end);
            }
            json.WriteEndObject();
        }
        buffer.Write("       "u8[..(int)(-buffer.WrittenCount & 7)]);
        if (buffer.WrittenCount - 8 > SafetensorsFile.LongestHeader)
            throw new RecallException($"a safetensors header of {buffer.WrittenCount - 8} bytes is longer than the "
                + $"{SafetensorsFile.LongestHeader} that readers take");
        byte[] header = buffer.WrittenSpan.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - 8);
        return (header, [.. offsets.Select(offset => header.Length + offset)], header.Length + end);
    }

    static int Prefix(ArrayBufferWriter<byte> buffer)
    {
        buffer.GetSpan(8)[..8].Clear();
        return 8;
    }

    static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string> metadata)
    {
        json.WriteStartObject("__metadata__");
        foreach (var (key, value) in metadata) json.WriteString(key, value);
        json.WriteEndObject();
    }

    static void WriteTensor(Utf8JsonWriter json, string name, DType type, Shape shape, long begin, long end)
    {
        json.WriteStartObject(name);
        json.WriteString("dtype", type.SafetensorsName());
        json.WriteStartArray("shape");
        foreach (long extent in shape.Dimensions) json.WriteNumberValue(extent);
        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(begin);
        json.WriteNumberValue(end);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
