using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Recall.Numerics;

namespace Recall.Checkpoints.Safetensors;

/// <summary>
/// A safetensors file of float32 tensors that are computed one after the other, in any order: each goes to its place when it is there, so
/// that memory does not grow with the file. It takes its name when it is finished; until then, and if it never is, there is no such file.
/// </summary>
public sealed class SafetensorsDraft : IDisposable
{
    readonly string _path;
    readonly SafeFileHandle _file;
    readonly Dictionary<string, (long Offset, long Elements)> _missing = new(StringComparer.Ordinal);

    /// <summary>Begins a file that will hold these tensors.</summary>
    /// <param name="path">Where it will be; a file that is there is replaced at the end.</param>
    /// <param name="tensors">Names and shapes, in the order of the file.</param>
    /// <exception cref="RecallException">The disk refuses, or two tensors have one name.</exception>
    public SafetensorsDraft(string path, IEnumerable<(string Name, Shape Shape)> tensors)
    {
        _path = path;
        var all = tensors.ToList();
        var (header, offsets, length) = SafetensorsHeader.Make(
            all.Select(tensor => (tensor.Name, DType.F32, tensor.Shape)), SafetensorsHeader.TorchMetadata);
        for (int i = 0; i < all.Count; i++) _missing.Add(all[i].Name, (offsets[i], all[i].Shape.Elements));
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Try(() => Directory.CreateDirectory(folder));
        _file = Try(() => File.OpenHandle(Aside, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.None, length));
        Try(() => RandomAccess.Write(_file, header, 0));
    }

    string Aside => _path + ".partial";

    /// <summary>Writes a tensor to its place.</summary>
    /// <exception cref="RecallException">The disk refuses.</exception>
    public void Write(string name, ReadOnlySpan<float> values)
    {
        if (!_missing.Remove(name, out var place))
            throw new ArgumentException($"{name} is not in the file, or is written already", nameof(name));
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, place.Elements);
        try
        {
            RandomAccess.Write(_file, MemoryMarshal.AsBytes(values), place.Offset);
        }
        catch (IOException e)
        {
            throw Refused(e);
        }
    }

    /// <summary>Gives the file its name.</summary>
    /// <exception cref="RecallException">The disk refuses.</exception>
    public void Finish()
    {
        if (_missing.Count > 0)
            throw new InvalidOperationException($"{_missing.Count} tensors are not written, {_missing.Keys.First()} among them");
        Try(() =>
        {
            RandomAccess.FlushToDisk(_file);
            _file.Dispose();
            File.Move(Aside, _path, overwrite: true);
        });
    }

    /// <summary>Takes away what was not finished.</summary>
    public void Dispose()
    {
        _file.Dispose();
        File.Delete(Aside);
    }

    void Try(Action action) => Try(() =>
    {
        action();
        return true;
    });

    T Try<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refused(e);
        }
    }

    RecallException Refused(Exception e) => new($"{_path}: cannot be written: {e.Message}", e);
}
