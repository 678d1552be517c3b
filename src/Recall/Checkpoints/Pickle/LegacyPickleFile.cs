using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Recall.Numerics;

namespace Recall.Checkpoints.Pickle;

/// <summary>
/// The format of torch.save before PyTorch 1.6: five pickles in a row (magic number, protocol version, system info, data, storage keys), then for each
/// key its number of elements as int64, and the elements. Each of the pickles is read by the restricted machine.
/// </summary>
static class LegacyPickleFile
{
    const long LargestPickles = 64 * 1024 * 1024, ProtocolVersion = 1001;

    static readonly BigInteger Magic = BigInteger.Parse("119547037146038801333356", CultureInfo.InvariantCulture);

    public static IReadOnlyList<TensorSource> Read(DataFile file)
    {
        var stream = new PickleStream(file, "its pickle", 0, Math.Min(file.Length, LargestPickles));
        if (new PickleReader(stream).Read() is not BigInteger magic || magic != Magic)
            throw Bad(file, "is a pickle, but not one of torch.save: the magic number is missing");
        object protocol = new PickleReader(stream).Read();
        if (protocol is not ProtocolVersion)
            throw Bad(file, $"has the protocol version {(protocol is long number ? number : "?")}; Recall reads {ProtocolVersion}");
        if (new PickleReader(stream).Read() is not PickleDict system) throw Bad(file, "has no system info");
        bool bigEndian = system.Entries.GetValueOrDefault("little_endian") is PickleBoolean { Value: false };
        var weights = StateDict.Find(new PickleReader(stream).Read(), file.Path);
        if (new PickleReader(stream, keepLists: true).Read() is not PickleList { Elements: { } keys })
            throw Bad(file, "has no list of storage keys");

        var records = ReadRecords(file, keys, Used(file, weights), stream.Position, bigEndian);
        var tensors = new PickledTensors(file,
            storage => records.TryGetValue(storage.Key, out var record) ? record
                : throw Bad(file, $"has no record of the storage {Quoted.Of(storage.Key)}"), bigEndian);
        return [.. weights.Select(entry => tensors.Place(entry.Name, entry.Tensor))];
    }

    static Dictionary<string, PickleStorage> Used(DataFile file, IReadOnlyList<(string Name, PickleTensor Tensor)> weights)
    {
        var used = new Dictionary<string, PickleStorage>(StringComparer.Ordinal);
        foreach (var (name, tensor) in weights)
        {
            var storage = tensor.Storage!;
            if (!used.TryAdd(storage.Key, storage) && used[storage.Key].Count != storage.Count)
                throw Bad(file, $"tensor {Quoted.Of(name)} has its storage {Quoted.Of(storage.Key)} with {storage.Count} elements, another with {used[storage.Key].Count}");
        }
        return used;
    }

    static Dictionary<string, StorageRecord> ReadRecords(DataFile file, List<object> keys, Dictionary<string, PickleStorage> used, long position, bool bigEndian)
    {
        var records = new Dictionary<string, StorageRecord>(StringComparer.Ordinal);
        Span<byte> size = stackalloc byte[8];
        foreach (object key in keys)
        {
            // The size of an element is known from the tensors only: the records after one that none of them uses cannot be found.
            if (key is not string name || !used.TryGetValue(name, out var storage))
                throw Bad(file, $"lists the storage {Quoted.Of(key as string ?? "?")}, which no tensor of the state dict uses");
            if (file.Length - position < size.Length) throw Bad(file, $"is cut short before the storage {Quoted.Of(name)}");
            file.Read(position, size);
            position += size.Length;
            long count = bigEndian ? BinaryPrimitives.ReadInt64BigEndian(size) : BinaryPrimitives.ReadInt64LittleEndian(size);
            if (count != storage.Count)
                throw Bad(file, $"has the storage {Quoted.Of(name)} with {count} elements; its tensors say {storage.Count}");
            int unit = storage.Type.DType?.Size() ?? 1;
            if (count > (file.Length - position) / unit)
                throw Bad(file, $"is cut short: the storage {Quoted.Of(name)} of {count} elements lies beyond the file");
            if (!records.TryAdd(name, new StorageRecord(position, count * unit)))
                throw Bad(file, $"lists the storage {Quoted.Of(name)} twice");
            position += count * unit;
        }
        return records;
    }

    static RecallException Bad(DataFile file, string what) => new($"{file.Path}: {what}");
}
