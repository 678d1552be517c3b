using Recall.Numerics;

namespace Recall.Checkpoints.Pickle;

/// <summary>Where a storage lies in the file.</summary>
readonly record struct StorageRecord(long Offset, long Length);

/// <summary>Turns the tensors of a pickle, views of storages, into sources that read from the file. Every number is checked against the storage.</summary>
/// <param name="file">The file.</param>
/// <param name="find">The record of a storage.</param>
/// <param name="bigEndian">The bytes of each element are in the other order.</param>
sealed class PickledTensors(DataFile file, Func<PickleStorage, StorageRecord> find, bool bigEndian)
{
    const long SmallExpansion = 1 << 24, LargestGather = 1 << 28;

    readonly Dictionary<string, string> _types = new(StringComparer.Ordinal);

    public TensorSource Place(string name, PickleTensor tensor)
    {
        try
        {
            return Check(name, tensor);
        }
        catch (OverflowException)
        {
            throw Bad(name, "has sizes, strides or an offset that overflow");
        }
    }

    TensorSource Check(string name, PickleTensor tensor)
    {
        var storage = tensor.Storage!;
        if (tensor.Extents.Count != tensor.Strides.Count)
            throw Bad(name, $"has {tensor.Extents.Count} sizes, but {tensor.Strides.Count} strides");
        if (tensor.Extents.Any(extent => extent < 0)) throw Bad(name, "has a negative size");
        if (tensor.Strides.Any(stride => stride < 0)) throw Bad(name, "has a negative stride");
        if (tensor.Offset < 0) throw Bad(name, "has a negative offset");
        if (!_types.TryAdd(storage.Key, storage.Type.Name) && _types[storage.Key] != storage.Type.Name)
            throw Bad(name, $"takes its storage {Quoted.Of(storage.Key)} for a {storage.Type.Name}, another tensor for a {_types[storage.Key]}");

        int size = tensor.DType.Size(), unit = storage.Type.DType?.Size() ?? 1;
        var record = find(storage);
        if (record.Length / unit < storage.Count)
            throw Bad(name, $"needs a storage of {storage.Count} elements, but the record {Quoted.Of(storage.Key)} has only {record.Length} bytes");
        var (begin, count) = storage.View ?? (0, storage.Count);
        long room = count * unit / size, first = checked(begin * unit / size + tensor.Offset);

        var shape = new Shape([.. tensor.Extents]);
        long last = 0;
        for (int i = 0; i < shape.Rank; i++) last = checked(last + Math.Max(shape[i] - 1, 0) * tensor.Strides[i]);
        if (shape.Elements > 0 ? checked(tensor.Offset + last) >= room : tensor.Offset > room)
            throw Bad(name, "reaches beyond its storage");
        if (shape.Elements > room && shape.Elements > Math.Max(SmallExpansion, file.Length))
            throw Bad(name, $"repeats the elements of its storage to {shape.Elements}, more than the file can hold");

        var encoding = bigEndian && size > 1 ? new SwappedEncoding(tensor.DType) : (TensorEncoding)PlainEncoding.Of(tensor.DType);
        long offset = checked(record.Offset + first * size);
        if (shape.Elements == 0 || IsContiguous(shape, tensor.Strides)) return new StoredTensor(name, shape, encoding, file, offset);
        if (last >= LargestGather && tensor.Strides[^1] != 1)
            throw Bad(name, "is a view across a storage too large to gather from; save it with .contiguous()");
        var range = new StoredTensor(name, new Shape(last + 1), encoding, file, offset);
        return new StridedTensor(name, shape, [.. tensor.Strides], range);
    }

    static bool IsContiguous(Shape shape, IReadOnlyList<long> strides)
    {
        long expected = 1;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            if (shape[i] != 1 && strides[i] != expected) return false;
            expected *= shape[i];
        }
        return true;
    }

    RecallException Bad(string name, string what) => new($"{file.Path}: tensor {Quoted.Of(name)} {what}");
}
