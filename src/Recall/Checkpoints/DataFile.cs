using Microsoft.Win32.SafeHandles;

namespace Recall.Checkpoints;

/// <summary>A file of a checkpoint, opened once for positional reading from any thread.</summary>
public sealed class DataFile : IDisposable
{
    readonly SafeFileHandle _handle;

    DataFile(string path, SafeFileHandle handle)
    {
        Path = path;
        _handle = handle;
        Length = RandomAccess.GetLength(handle);
    }

    /// <summary>Where it lies.</summary>
    public string Path { get; }

    /// <summary>Bytes at the time of opening.</summary>
    public long Length { get; }

    /// <summary>Opens a regular file; anything else (a folder, a pipe, a device) is refused before it is touched.</summary>
    /// <exception cref="RecallException">Not there, not a file, or not readable.</exception>
    public static DataFile Open(string path)
    {
        try
        {
            if (!File.Exists(path)) throw new RecallException(Directory.Exists(path) ? $"{path}: is a folder, not a file" : $"{path}: no such file");
            if (!UnixFile.IsRegular(path)) throw new RecallException($"{path}: not a regular file");
            return new DataFile(path, File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.None));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{path}: cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>Fills <paramref name="destination"/> from the offset on.</summary>
    /// <exception cref="RecallException">The file ends before, or the disk fails.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        try
        {
            while (destination.Length > 0)
            {
                int read = RandomAccess.Read(_handle, destination, offset);
                if (read == 0)
                    throw new RecallException($"{Path}: ends at byte {offset}, {destination.Length} bytes early; was it changed while Recall read it?");
                offset += read;
                destination = destination[read..];
            }
        }
        catch (IOException e)
        {
            throw new RecallException($"{Path}: cannot be read at byte {offset}: {e.Message}", e);
        }
    }

    /// <summary>Asks the operating system to fetch a range that will be read soon.</summary>
    public void Prefetch(long offset, long length) => UnixFile.Prefetch(_handle, offset, length);

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
