using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Recall.Numerics;

namespace Recall.Checkpoints.Safetensors;

/// <summary>
/// A safetensors file whose tensors come one after the other, with extents that are known only when they come: room for the header is kept
/// free, and filled up with spaces. Memory is that of one tile. Until it is finished there is no file of its name.
/// </summary>
sealed class AppendedSafetensors : IDisposable
{
    readonly string _path;
    readonly SafeFileHandle _file;
    readonly int _room;
    readonly List<(string Name, DType Type, Shape Shape)> _tensors = [];
    readonly TileReader _reader = new();
    long _end;

    /// <summary>Begins a file.</summary>
    /// <param name="path">Where it will be; its folder is made.</param>
    /// <param name="largest">All that may come, each at its largest.</param>
    /// <exception cref="RecallException">The disk refuses.</exception>
    public AppendedSafetensors(string path, IEnumerable<(string Name, DType Type, Shape Shape)> largest)
    {
        _path = path;
        _room = SafetensorsHeader.Make(largest, SafetensorsHeader.TorchMetadata).Header.Length;
        _end = _room;
        _file = Try(() =>
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
            return File.OpenHandle(Aside, FileMode.Create, FileAccess.Write, FileShare.None);
        });
    }

    string Aside => _path + ".partial";

    /// <summary>Adds a tensor of float32 values, rounded once to its type.</summary>
    public void Append(string name, DType type, Shape shape, ReadOnlySpan<float> values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, shape.Elements);
        _tensors.Add((name, type, shape));
        for (int at = 0; at < values.Length; at += TileReader.TileElements)
            Write(type, values.Slice(at, Math.Min(TileReader.TileElements, values.Length - at)));
    }

    /// <summary>Adds a tensor of a checkpoint under another name, in its own type.</summary>
    public void Append(string name, TensorSource source)
    {
        _tensors.Add((name, source.DType, source.Shape));
        var values = new float[Math.Min(TileReader.TileElements, source.Shape.Elements)];
        _reader.BeginTensor();
        for (long at = 0; at < source.Shape.Elements; at += values.Length)
        {
            var part = values.AsSpan(0, (int)Math.Min(values.Length, source.Shape.Elements - at));
            _reader.Begin(part.Length);
            source.Read(_reader, at, part);
            Write(source.DType, part);
        }
    }

    void Write(DType type, ReadOnlySpan<float> values)
    {
        var bytes = new byte[values.Length * type.Size()];
        PlainEncoding.Of(type).Encode(values, bytes);
        Try(() =>
        {
            RandomAccess.Write(_file, bytes, _end);
            return true;
        });
        _end += bytes.Length;
    }

    /// <summary>Writes the header and gives the file its name.</summary>
    public void Finish()
    {
        byte[] header = SafetensorsHeader.Make(_tensors, SafetensorsHeader.TorchMetadata).Header;
        var padded = new byte[_room];
        padded.AsSpan().Fill((byte)' ');
        header.CopyTo(padded, 0);
        BinaryPrimitives.WriteInt64LittleEndian(padded, _room - 8);
        Try(() =>
        {
            RandomAccess.Write(_file, padded, 0);
            RandomAccess.FlushToDisk(_file);
            _file.Dispose();
            File.Move(Aside, _path, overwrite: true);
            return true;
        });
    }

    /// <summary>Takes away what was not finished.</summary>
    public void Dispose()
    {
        _file.Dispose();
        File.Delete(Aside);
    }

    T Try<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{_path}: cannot be written: {e.Message}", e);
        }
    }
}
