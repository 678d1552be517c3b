using System.Buffers.Binary;
using System.Text;

namespace Recall.Checkpoints.Gguf;

/// <summary>Reads the header of a GGUF file from front to back, through a window: every length is checked against the file before it is used.</summary>
sealed class GgufCursor(DataFile file)
{
    const int WindowBytes = 256 * 1024;
    const int LongestText = 32 * 1024 * 1024;
    const long LongestHeader = 128 * 1024 * 1024;

    static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    byte[] _window = [];
    long _begin, _end;

    /// <summary>Where the next byte comes from.</summary>
    public long Position { get; private set; }

    /// <summary>Bytes from here to the end of the file.</summary>
    public long Remaining => file.Length - Position;

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A length of 8 bytes, then UTF-8.</summary>
    public string Text(string what, int longest = LongestText)
    {
        ulong length = UInt64(what);
        if (length > (ulong)Remaining) throw Bad($"{what} claims {length} bytes; the file has {Remaining} more");
        if (length > (ulong)longest) throw Bad($"{what} has {length} bytes, above the limit of {longest}");
        var bytes = Take((int)length, what);
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new RecallException($"{file.Path}: {what} is not valid UTF-8", e);
        }
    }

    /// <summary>The next bytes; the span holds until the next call.</summary>
    public ReadOnlySpan<byte> Take(int length, string what)
    {
        if (length > Remaining) throw Bad($"ends early, at byte {file.Length}, within {what}");
        if (Position + length > LongestHeader) throw Bad($"its header is longer than the limit of {LongestHeader} bytes");
        if (Position < _begin || Position + length > _end)
        {
            int fetch = (int)Math.Min(Remaining, Math.Max(length, WindowBytes));
            if (_window.Length < fetch) _window = new byte[fetch];
            file.Read(Position, _window.AsSpan(0, fetch));
            (_begin, _end) = (Position, Position + fetch);
        }
        var bytes = _window.AsSpan((int)(Position - _begin), length);
        Position += length;
        return bytes;
    }

    public RecallException Bad(string what) => new($"{file.Path}: {what}");
}
