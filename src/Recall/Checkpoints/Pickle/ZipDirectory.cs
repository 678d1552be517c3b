using System.Buffers.Binary;
using System.Text;

namespace Recall.Checkpoints.Pickle;

/// <summary>
/// The central directory of a zip archive, as torch.save writes it: uncompressed entries, sizes possibly only here (a data descriptor follows the
/// data), zip64 where needed. Compressed and encrypted entries are refused when they are asked for.
/// </summary>
sealed class ZipDirectory
{
    const int EndLength = 22, LongestComment = 65_535, EntryLength = 46, LocalLength = 30;
    const long LargestDirectory = 64 * 1024 * 1024;

    readonly DataFile _file;
    readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    long _begin;

    ZipDirectory(DataFile file) => _file = file;

    readonly record struct Entry(string Name, int Flags, int Method, long Packed, long Length, long Header);

    /// <summary>The names of the entries.</summary>
    public IEnumerable<string> Names => _entries.Keys;

    /// <summary>Reads the directory of an open file.</summary>
    /// <exception cref="RecallException">There is none (the file is cut short), or it lies.</exception>
    public static ZipDirectory Read(DataFile file)
    {
        var directory = new ZipDirectory(file);
        var (count, offset, length) = directory.FindEnd();
        if (offset > file.Length || length > file.Length - offset || length > LargestDirectory)
            throw directory.Bad("its zip directory lies beyond the file, or is absurdly large");
        directory._begin = offset;
        var bytes = new byte[length];
        file.Read(offset, bytes);
        directory.ReadEntries(bytes, count);
        return directory;
    }

    public bool Has(string name) => _entries.ContainsKey(name);

    /// <summary>Where the data of an entry lie.</summary>
    /// <exception cref="RecallException">Compressed, encrypted, or not where the directory says.</exception>
    public StorageRecord Find(string name)
    {
        var entry = _entries[name];
        if ((entry.Flags & 1) != 0) throw Bad(name, "is encrypted");
        if (entry.Method != 0)
            throw Bad(name, $"is compressed (method {entry.Method}); torch.save does not compress: unpack it and save it again with torch");
        if (entry.Packed != entry.Length) throw Bad(name, "is stored, but its two sizes differ");
        if (entry.Header > _begin - LocalLength) throw Bad(name, "lies beyond the file");
        Span<byte> local = stackalloc byte[LocalLength];
        _file.Read(entry.Header, local);
        if (BinaryPrimitives.ReadUInt32LittleEndian(local) != 0x04034b50) throw Bad(name, "does not begin where the zip directory says");
        int nameLength = UInt16(local, 26);
        long begin = entry.Header + LocalLength + nameLength + UInt16(local, 28);
        if (begin > _begin || entry.Length > _begin - begin) throw Bad(name, "lies beyond the file");
        var localName = new byte[nameLength];
        _file.Read(entry.Header + LocalLength, localName);
        if (Encoding.UTF8.GetString(localName) != name) throw Bad(name, "has another name in its own header");
        return new StorageRecord(begin, entry.Length);
    }

    (long Count, long Offset, long Length) FindEnd()
    {
        int tail = (int)Math.Min(_file.Length, EndLength + LongestComment);
        var bytes = new byte[tail];
        _file.Read(_file.Length - tail, bytes);
        for (int at = tail - EndLength; at >= 0; at--)
        {
            var end = bytes.AsSpan(at);
            if (BinaryPrimitives.ReadUInt32LittleEndian(end) != 0x06054b50 || UInt16(end, 20) != end.Length - EndLength) continue;
            if (UInt16(end, 4) != 0 || UInt16(end, 6) != 0) throw Bad("is a part of a split zip archive");
            long count = UInt16(end, 10), length = UInt32(end, 12), offset = UInt32(end, 16);
            bool wide = count == ushort.MaxValue || length == uint.MaxValue || offset == uint.MaxValue;
            return wide ? FindWideEnd(_file.Length - tail + at) ?? (count, offset, length) : (count, offset, length);
        }
        throw Bad("is cut short: a zip archive without the directory at its end");
    }

    (long Count, long Offset, long Length)? FindWideEnd(long end)
    {
        const int locatorLength = 20, recordLength = 56;
        if (end < locatorLength) return null;
        Span<byte> locator = stackalloc byte[locatorLength], record = stackalloc byte[recordLength];
        _file.Read(end - locatorLength, locator);
        if (BinaryPrimitives.ReadUInt32LittleEndian(locator) != 0x07064b50) return null;
        long at = BinaryPrimitives.ReadInt64LittleEndian(locator[8..]);
        if (at < 0 || at > end - recordLength) throw Bad("its zip64 directory lies beyond the file");
        _file.Read(at, record);
        if (BinaryPrimitives.ReadUInt32LittleEndian(record) != 0x06064b50) throw Bad("its zip64 directory is not where it says");
        long count = Int64(record, 32), length = Int64(record, 40), offset = Int64(record, 48);
        return count >= 0 && length >= 0 && offset >= 0 ? (count, offset, length) : throw Bad("its zip64 directory holds negative numbers");
    }

    void ReadEntries(ReadOnlySpan<byte> bytes, long count)
    {
        for (long i = 0; i < count; i++)
        {
            if (bytes.Length < EntryLength || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != 0x02014b50)
                throw Bad($"its zip directory ends after {i} of {count} entries");
            int nameLength = UInt16(bytes, 28), extraLength = UInt16(bytes, 30), length = EntryLength + nameLength + extraLength + UInt16(bytes, 32);
            if (length > bytes.Length) throw Bad($"its zip directory ends within entry {i + 1} of {count}");
            string name = Encoding.UTF8.GetString(bytes.Slice(EntryLength, nameLength));
            var (plain, packed, header) = WideSizes(bytes.Slice(EntryLength + nameLength, extraLength), UInt32(bytes, 24), UInt32(bytes, 20), UInt32(bytes, 42));
            if (plain < 0 || packed < 0 || header < 0) throw Bad(name, "has a negative size");
            if (!_entries.TryAdd(name, new Entry(name, UInt16(bytes, 8), UInt16(bytes, 10), packed, plain, header)))
                throw Bad(name, "stands twice");
            bytes = bytes[length..];
        }
    }

    // Numbers that do not fit 32 bits stand in the extra field 1, in this order, those only that are all ones in the entry.
    static (long Plain, long Packed, long Header) WideSizes(ReadOnlySpan<byte> extra, long plain, long packed, long header)
    {
        while (extra.Length >= 4)
        {
            int kind = UInt16(extra, 0), length = Math.Min(UInt16(extra, 2), extra.Length - 4);
            var field = extra.Slice(4, length);
            extra = extra[(4 + length)..];
            if (kind != 1) continue;
            plain = Take(ref field, plain);
            packed = Take(ref field, packed);
            header = Take(ref field, header);
        }
        return (plain, packed, header);

        static long Take(ref ReadOnlySpan<byte> field, long value)
        {
            if (value != uint.MaxValue || field.Length < 8) return value;
            value = Int64(field, 0);
            field = field[8..];
            return value;
        }
    }

    static ushort UInt16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    static uint UInt32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    static long Int64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);

    RecallException Bad(string what) => new($"{_file.Path}: {what}");

    RecallException Bad(string name, string what) => Bad($"its zip entry {Quoted.Of(name)} {what}");
}
