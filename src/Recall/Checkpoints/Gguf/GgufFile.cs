using System.Buffers.Binary;
using System.Numerics;

namespace Recall.Checkpoints.Gguf;

/// <summary>
/// One GGUF file, version 2 or 3, little-endian: magic, version, counts, metadata, tensor entries, padding to the alignment, data.
/// Nothing in it is trusted. Shapes are turned to the order of PyTorch: GGUF lists the innermost dimension first.
/// </summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Metadata">Keys and values.</param>
/// <param name="Tensors">The tensors under their GGUF names, in the order of the header.</param>
sealed record GgufFile(string Path, GgufMetadata Metadata, IReadOnlyList<StoredTensor> Tensors)
{
    const int SmallestKey = 13, SmallestTensor = 32, LongestName = 1024, MostDimensions = 4;
    const long DefaultAlignment = 32, LeastAlignment = 8, LargestAlignment = 1 << 20;

    /// <summary>Reads and checks the header of an open file.</summary>
    /// <exception cref="RecallException">Not a GGUF file, or one that lies; the message names the file, the key or tensor, and the reason.</exception>
    public static GgufFile Read(DataFile file)
    {
        CheckMagic(file);
        var cursor = new GgufCursor(file);
        cursor.Take(4, "the magic");
        uint version = cursor.UInt32("the version");
        if (version is not (2 or 3))
        {
            throw cursor.Bad(BinaryPrimitives.ReverseEndianness(version) is 1 or 2 or 3
                ? "is a big-endian GGUF file; Recall reads little-endian ones" : $"has GGUF version {version}; Recall reads versions 2 and 3");
        }
        ulong tensorCount = cursor.UInt64("the number of tensors"), keyCount = cursor.UInt64("the number of metadata keys");
        if (tensorCount > (ulong)(cursor.Remaining / SmallestTensor))
            throw cursor.Bad($"claims {tensorCount} tensors, more than the file can hold");
        if (keyCount > (ulong)(cursor.Remaining / SmallestKey))
            throw cursor.Bad($"claims {keyCount} metadata keys, more than the file can hold");

        var metadata = GgufMetadata.Read(cursor, file.Path, keyCount);
        long alignment = ReadAlignment(metadata);
        var entries = new List<(string Name, Shape Shape, GgufEncoding Encoding, ulong Offset)>();
        for (ulong i = 0; i < tensorCount; i++) entries.Add(ReadEntry(cursor, $"tensor {i + 1} of {tensorCount}"));
        long dataBegin = (cursor.Position + alignment - 1) / alignment * alignment;
        return new GgufFile(file.Path, metadata, Place(file, entries, dataBegin, alignment));
    }

    static void CheckMagic(DataFile file)
    {
        if (file.Length == 0) throw new RecallException($"{file.Path}: is empty, not a GGUF file");
        Span<byte> begin = stackalloc byte[(int)Math.Min(file.Length, 32)];
        file.Read(0, begin);
        if (begin.StartsWith("GGUF"u8)) return;
        bool old = begin.StartsWith("tjgg"u8) || begin.StartsWith("lmgg"u8) || begin.StartsWith("fmgg"u8) || begin.StartsWith("GGML"u8);
        throw new RecallException(begin.StartsWith("version https://git-lfs"u8)
            ? $"{file.Path}: is a Git LFS pointer, not the weights; fetch them with: git lfs pull"
            : old ? $"{file.Path}: is in an old GGML format, before GGUF; convert the original model again"
            : $"{file.Path}: is not a GGUF file: it does not begin with 'GGUF'");
    }

    static long ReadAlignment(GgufMetadata metadata)
    {
        if (!metadata.Values.TryGetValue("general.alignment", out object? value)) return DefaultAlignment;
        if (value is not uint alignment) throw metadata.Wrong("general.alignment", "a UINT32");
        return BitOperations.IsPow2(alignment) && alignment is >= (uint)LeastAlignment and <= (uint)LargestAlignment
            ? alignment
            : throw metadata.Wrong("general.alignment", $"a power of two from {LeastAlignment} to {LargestAlignment}, not {alignment}");
    }

    static (string, Shape, GgufEncoding, ulong) ReadEntry(GgufCursor cursor, string what)
    {
        string name = cursor.Text($"the name of {what}", LongestName);
        if (name.Length == 0) throw cursor.Bad($"{what} has no name");
        what = $"tensor {Quoted.Of(name)}";
        uint rank = cursor.UInt32(what);
        if (rank > MostDimensions) throw cursor.Bad($"{what} has {rank} dimensions, more than {MostDimensions}");
        Span<long> extents = stackalloc long[(int)rank];
        for (int i = (int)rank - 1; i >= 0; i--)
        {
            ulong extent = cursor.UInt64(what);
            extents[i] = extent <= long.MaxValue ? (long)extent
                : throw cursor.Bad($"{what} has a dimension of {extent}, which is too large");
        }
        var encoding = GgufEncoding.Of(cursor.UInt32(what), out string? refusal);
        if (encoding is null) throw cursor.Bad($"{what} has {refusal}");
        try
        {
            var shape = new Shape(extents);
            int block = encoding.Encoding.BlockElements;
            if (shape.RowLength % block != 0)
                throw cursor.Bad($"{what} has rows of {shape.RowLength}, no multiple of the {block} elements of a {encoding.Name} block");
            _ = encoding.Encoding.Bytes(shape.Elements);
            return (name, shape, encoding, cursor.UInt64(what));
        }
        catch (OverflowException e)
        {
            throw new RecallException(cursor.Bad($"{what}: its shape [{string.Join(", ", extents.ToArray())}] overflows").Message, e);
        }
    }

    static StoredTensor[] Place(DataFile file, List<(string Name, Shape Shape, GgufEncoding Encoding, ulong Offset)> entries, long dataBegin, long alignment)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var tensors = new StoredTensor[entries.Count];
        for (int i = 0; i < tensors.Length; i++)
        {
            var (name, shape, encoding, offset) = entries[i];
            string what = $"{file.Path}: tensor {Quoted.Of(name)}";
            if (!names.Add(name)) throw new RecallException($"{what} stands twice");
            if (offset % (ulong)alignment != 0)
                throw new RecallException($"{what} begins at {offset}, no multiple of the alignment {alignment}");
            long length = encoding.Encoding.Bytes(shape.Elements), room = file.Length - dataBegin;
            if (room < 0 || offset > (ulong)room || length > room - (long)offset)
                throw new RecallException($"{what} lies beyond the file: {length} bytes from {offset} of {Math.Max(room, 0)}; the file is cut short, or its header lies");
            tensors[i] = new StoredTensor(name, shape, encoding.Encoding, file, dataBegin + (long)offset);
        }
        long covered = 0;
        foreach (var tensor in tensors.Where(tensor => tensor.Length > 0).OrderBy(tensor => tensor.Offset))
        {
            if (tensor.Offset < covered) throw new RecallException($"{file.Path}: tensor {Quoted.Of(tensor.Name)} overlaps another");
            covered = tensor.Offset + tensor.Length;
        }
        return tensors;
    }
}
