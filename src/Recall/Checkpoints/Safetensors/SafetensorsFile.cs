using System.Buffers.Binary;
using System.Text.Json;
using Recall.Numerics;

namespace Recall.Checkpoints.Safetensors;

/// <summary>
/// One safetensors file: 8 bytes of header length (u64, little-endian), a JSON object, then the data. Nothing in it is trusted: the header is
/// capped, every number is checked before it is used, and the tensors must cover the data exactly, without holes or overlaps.
/// </summary>
/// <param name="Tensors">The tensors, in the order of their data.</param>
/// <param name="Metadata">The strings of <c>__metadata__</c>.</param>
public sealed record SafetensorsFile(IReadOnlyList<StoredTensor> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The longest header that is read: 100 MB, as in the safetensors library.</summary>
    public const long LongestHeader = 100_000_000;

    const int MostDimensions = 64;

    /// <summary>Reads and checks the header of an open file.</summary>
    /// <exception cref="RecallException">Not a safetensors file, or one that lies; the message names the file, the tensor and the reason.</exception>
    public static SafetensorsFile Read(DataFile file)
    {
        if (file.Length < 8) throw Bad(file, $"has {file.Length} bytes, fewer than the 8 of the header length");
        Span<byte> prefix = stackalloc byte[(int)Math.Min(file.Length, 64)];
        file.Read(0, prefix);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (prefix.StartsWith("version https://git-lfs"u8))
            throw Bad(file, "is a Git LFS pointer, not the weights; fetch them with: git lfs pull");
        if (length > LongestHeader)
        {
            string hint = prefix.StartsWith("PK"u8) ? "; it looks like a PyTorch (zip) file" : prefix.StartsWith("GGUF"u8) ? "; it is a GGUF file" :
                prefix.StartsWith("<"u8) ? "; it looks like a web page" : "";
            throw Bad(file, $"claims a header of {length} bytes, above the limit of {LongestHeader}; it is no safetensors file{hint}");
        }
        if ((long)length > file.Length - 8) throw Bad(file, $"is cut short: its header of {length} bytes ends beyond the file of {file.Length}");
        if (length < 2 || prefix.Length < 9 || prefix[8] != (byte)'{') throw Bad(file, "has no header: a JSON object that begins with '{' is expected at byte 8");

        var header = new byte[length];
        file.Read(8, header);
        try
        {
            return new HeaderReader(file, 8 + (long)length).Read(header);
        }
        catch (JsonException e)
        {
            throw new RecallException($"{file.Path}: its header is not valid JSON at byte {8 + (e.BytePositionInLine ?? 0)}: {e.Message.Split(" LineNumber")[0]}", e);
        }
        catch (InvalidOperationException e)     // a name that is not UTF-8, or holds half a surrogate pair
        {
            throw new RecallException($"{file.Path}: its header holds text that is not valid Unicode", e);
        }
    }

    static RecallException Bad(DataFile file, string what) => new($"{file.Path}: {what}");

    sealed class HeaderReader(DataFile file, long dataBegin)
    {
        readonly Dictionary<string, StoredTensor> _tensors = new(StringComparer.Ordinal);
        Dictionary<string, string>? _metadata;

        public SafetensorsFile Read(byte[] header)
        {
            var json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
            json.Read();
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                string name = json.GetString()!;
                json.Read();
                if (name == "__metadata__") ReadMetadata(ref json);
                else ReadTensor(ref json, name);
            }
            while (json.Read()) { }     // text after the closing brace is an error of the reader

            var tensors = _tensors.Values.OrderBy(tensor => tensor.Offset).ThenBy(tensor => tensor.Length).ToList();
            long covered = 0;
            foreach (var tensor in tensors)
            {
                long begin = tensor.Offset - dataBegin;
                if (begin > covered) throw Bad(file, $"{begin - covered} bytes of data before tensor {Quoted.Of(tensor.Name)} belong to no tensor");
                if (begin < covered) throw Bad(file, $"tensor {Quoted.Of(tensor.Name)} overlaps the one before it");
                covered += tensor.Length;
            }
            if (dataBegin + covered != file.Length)
                throw Bad(file, $"{file.Length - dataBegin - covered} bytes after the last tensor belong to no tensor");
            return new SafetensorsFile(tensors, _metadata ?? []);
        }

        void ReadMetadata(ref Utf8JsonReader json)
        {
            if (_metadata is not null) throw Bad(file, "holds __metadata__ twice");
            _metadata = [];
            if (json.TokenType == JsonTokenType.Null) return;
            if (json.TokenType != JsonTokenType.StartObject) throw Bad(file, "__metadata__ must be an object of strings");
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                string key = json.GetString()!;
                json.Read();
                if (json.TokenType != JsonTokenType.String) throw Bad(file, $"__metadata__ {Quoted.Of(key)} must be a string");
                if (!_metadata.TryAdd(key, json.GetString()!)) throw Bad(file, $"__metadata__ holds {Quoted.Of(key)} twice");
            }
        }

        void ReadTensor(ref Utf8JsonReader json, string name)
        {
            if (json.TokenType != JsonTokenType.StartObject) throw Bad(name, "its entry must be an object");
            DType? type = null;
            Shape? shape = null;
            (long Begin, long End)? offsets = null;
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                string field = json.GetString()!;
                json.Read();
                switch (field)
                {
                    case "dtype" when type is null: type = ReadType(ref json, name); break;
                    case "shape" when shape is null: shape = ReadShape(ref json, name); break;
                    case "data_offsets" when offsets is null: offsets = ReadOffsets(ref json, name); break;
                    case "dtype" or "shape" or "data_offsets": throw Bad(name, $"field '{field}' stands twice");
                    default: json.Skip(); break;
                }
            }
            if (type is null) throw Bad(name, "field 'dtype' is missing");
            if (shape is null) throw Bad(name, "field 'shape' is missing");
            if (offsets is not var (begin, end)) throw Bad(name, "field 'data_offsets' is missing");
            if (begin > end) throw Bad(name, $"its data begins at {begin}, after its end {end}");
            if (end > file.Length - dataBegin)
                throw Bad(name, $"its data ends at byte {end} of {file.Length - dataBegin}: the file is cut short, or its header lies");
            long elements = shape.Value.Elements;
            if (elements > long.MaxValue / type.Value.Size() || elements * type.Value.Size() != end - begin)
                throw Bad(name, $"shape {shape} of {type.Value.SafetensorsName()} does not fit its {end - begin} bytes");
            var tensor = new StoredTensor(name, shape.Value, PlainEncoding.Of(type.Value), file, dataBegin + begin);
            if (!_tensors.TryAdd(name, tensor)) throw Bad(name, "stands twice in the header");
        }

        DType ReadType(ref Utf8JsonReader json, string name)
        {
            if (json.TokenType != JsonTokenType.String) throw Bad(name, "'dtype' must be a string");
            string type = json.GetString()!;
            return DTypes.FromSafetensorsName(type) ?? throw Bad(name, $"dtype {Quoted.Of(type)} is not one that Recall reads");
        }

        Shape ReadShape(ref Utf8JsonReader json, string name)
        {
            if (json.TokenType != JsonTokenType.StartArray) throw Bad(name, "'shape' must be an array of integers");
            var extents = new List<long>();
            while (json.Read() && json.TokenType != JsonTokenType.EndArray)
            {
                extents.Add(ReadInteger(ref json, name, "shape"));
                if (extents.Count > MostDimensions) throw Bad(name, $"has more than {MostDimensions} dimensions");
            }
            try
            {
                return new Shape([.. extents]);
            }
            catch (OverflowException)
            {
                throw Bad(name, $"its shape [{string.Join(", ", extents)}] overflows");
            }
        }

        (long, long) ReadOffsets(ref Utf8JsonReader json, string name)
        {
            if (json.TokenType != JsonTokenType.StartArray) throw Bad(name, "'data_offsets' must be two integers");
            json.Read();
            long begin = ReadInteger(ref json, name, "data_offsets");
            json.Read();
            long end = ReadInteger(ref json, name, "data_offsets");
            json.Read();
            if (json.TokenType != JsonTokenType.EndArray) throw Bad(name, "'data_offsets' must be two integers");
            return (begin, end);
        }

        long ReadInteger(ref Utf8JsonReader json, string name, string field)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out long value) || value < 0)
                throw Bad(name, $"'{field}' must hold integers from 0 to 2^63 - 1");
            return value;
        }

        RecallException Bad(string name, string what) => new($"{file.Path}: tensor {Quoted.Of(name)}: {what}");

        static RecallException Bad(DataFile file, string what) => SafetensorsFile.Bad(file, what);
    }
}
