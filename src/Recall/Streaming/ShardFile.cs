using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;

namespace Recall.Streaming;

/// <summary>
/// A file of weights while it is written. The system lets one thread at a time write to a file, and the others spin: so a thread that finds
/// another one writing leaves its tile to that one, and goes on with the next.
/// </summary>
/// <param name="path">Its path, for messages.</param>
/// <param name="handle">The file, as long as it will be.</param>
sealed class ShardFile(string path, SafeFileHandle handle) : IDisposable
{
    // So many may lie about for other threads to write; then each thread waits for its turn.
    const int MostWaiting = 4;

    readonly record struct Tile(long Offset, byte[] Buffer, int Length, Action Written);

    readonly Lock _writing = new();
    readonly ConcurrentQueue<Tile> _waiting = new();
    readonly ConcurrentBag<byte[]> _buffers = [];

    /// <summary>A buffer of at least that length, for <see cref="Write(long, byte[], int, Action)"/>.</summary>
    public byte[] Rent(int length) =>
        _buffers.TryTake(out byte[]? buffer) && buffer.Length >= length ? buffer : GC.AllocateUninitializedArray<byte>(length);

    /// <summary>Writes bytes to their place.</summary>
    /// <exception cref="RecallException">They cannot be written.</exception>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(handle, bytes, offset);
        }
        catch (IOException e)
        {
            throw new RecallException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Writes the first bytes of a rented buffer, which it takes back, to their place: now, or by another thread that is writing.</summary>
    /// <param name="offset">The place.</param>
    /// <param name="buffer">The buffer.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="written">Called when they are in their place, by the thread that wrote them.</param>
    /// <exception cref="RecallException">These bytes, or others that this thread writes for another one, cannot be written.</exception>
    public void Write(long offset, byte[] buffer, int length, Action written)
    {
        _waiting.Enqueue(new Tile(offset, buffer, length, written));
        while (!_waiting.IsEmpty && WriteNext(waits: _waiting.Count > MostWaiting)) { }
    }

    // False where another thread is writing, who will look for more before it goes.
    bool WriteNext(bool waits)
    {
        if (waits) _writing.Enter();
        else if (!_writing.TryEnter()) return false;
        Tile tile;
        try
        {
            if (!_waiting.TryDequeue(out tile)) return true;
            Write(tile.Offset, tile.Buffer.AsSpan(0, tile.Length));
        }
        finally
        {
            _writing.Exit();
        }
        _buffers.Add(tile.Buffer);
        tile.Written();
        return true;
    }

    /// <summary>Reads bytes back from their place.</summary>
    /// <exception cref="RecallException">They are gone.</exception>
    public void Read(long offset, Span<byte> bytes)
    {
        for (int done = 0, count; done < bytes.Length; done += count)
        {
            count = RandomAccess.Read(handle, bytes[done..], offset + done);
            if (count == 0) throw new RecallException($"{path}: has become shorter while it was written");
        }
    }

    /// <summary>Brings to the disk what is written.</summary>
    public void Flush() => RandomAccess.FlushToDisk(handle);

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();
}
