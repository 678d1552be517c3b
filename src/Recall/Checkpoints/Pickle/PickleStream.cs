using System.Buffers.Binary;
using System.Text;

namespace Recall.Checkpoints.Pickle;

/// <summary>The bytes of a pickle, read from front to back through a window. Every length is checked before it is used.</summary>
sealed class PickleStream(DataFile file, string name, long begin, long end)
{
    const int WindowBytes = 64 * 1024;
    const int LongestLine = 256;

    static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    readonly long _begin = begin;
    byte[] _window = [];
    long _windowBegin, _windowEnd;

    /// <summary>Where in the file the next byte stands.</summary>
    public long Position { get; private set; } = begin;

    public byte Byte() => Take(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>UTF-8 of so many bytes.</summary>
    public string Text(ulong length)
    {
        var bytes = Take(length);
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Bad("holds a text that is not valid UTF-8");
        }
    }

    /// <summary>The bytes up to the end of the line, as ASCII; the line break is taken and not returned.</summary>
    public string Line()
    {
        var line = new StringBuilder();
        for (byte next = Byte(); next != '\n'; next = Byte())
        {
            if (line.Length == LongestLine) throw Bad($"holds a name or number of more than {LongestLine} digits or letters");
            line.Append((char)next);
        }
        return line.ToString().TrimEnd('\r');
    }

    /// <summary>The next bytes; the span holds until the next call.</summary>
    public ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)(end - Position))
            throw Bad(length <= 8 ? "ends within an instruction, or without STOP" : $"claims {length} bytes beyond its end");
        int count = (int)length;
        if (Position < _windowBegin || Position + count > _windowEnd)
        {
            int fetch = (int)Math.Min(end - Position, Math.Max(count, WindowBytes));
            if (_window.Length < fetch) _window = new byte[fetch];
            file.Read(Position, _window.AsSpan(0, fetch));
            (_windowBegin, _windowEnd) = (Position, Position + fetch);
        }
        var bytes = _window.AsSpan((int)(Position - _windowBegin), count);
        Position += count;
        return bytes;
    }

    public RecallException Bad(string what) => new($"{file.Path}: {name} {what} (at its byte {Position - _begin})");
}
