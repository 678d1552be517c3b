using System.Buffers;
using System.Text;

namespace Recall.Data;

/// <summary>A line of a file in UTF-8: what stands between two line feeds.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Text">Without the line feed; a carriage return before it is still there.</param>
/// <param name="Ended">False for a last line that no line feed ends.</param>
readonly record struct TextLine(int Number, string Text, bool Ended)
{
    const int LongestLine = 1 << 28;

    /// <summary>Reads line by line. A byte order mark at the start is left out.</summary>
    /// <exception cref="RecallException">Not UTF-8 (with line and byte), a line above 256 MiB, or a broken gzip stream.</exception>
    public static IEnumerable<TextLine> Read(Stream stream, string path)
    {
        var buffer = new byte[1 << 16];
        int filled = 0, number = 0;
        long offset = 0;
        bool ended = false;
        while (!ended)
        {
            if (filled == buffer.Length)
            {
                if (buffer.Length >= LongestLine)
                    throw new RecallException($"{path}:{number + 1}: a line of more than {LongestLine >> 20} MiB; is this a file of texts?");
                Array.Resize(ref buffer, buffer.Length * 2);
            }
            int read = Fill(stream, buffer.AsSpan(filled), path, number + 1);
            int searched = filled, start = 0;
            filled += read;
            ended = read == 0;
            if (offset == 0) start = SkipMark(buffer.AsSpan(0, filled), path, ended || filled >= 3);
            int first = start;
            for (int end; (end = buffer.AsSpan(Math.Max(searched, start), filled - Math.Max(searched, start)).IndexOf((byte)'\n')) >= 0;)
            {
                end += Math.Max(searched, start);
                yield return new TextLine(++number, Decode(buffer.AsSpan(start, end - start), path, number, offset + start), Ended: true);
                start = end + 1;
            }
            if (ended && filled > start) yield return new TextLine(++number, Decode(buffer.AsSpan(start, filled - start), path, number,
                offset + start), Ended: false);
            if (offset == 0 && start == first) start = 0;
            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            offset += start;
            filled -= start;
        }
    }

    static int SkipMark(ReadOnlySpan<byte> head, string path, bool whole)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || head.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
            throw new RecallException($"{path}: is UTF-16 (byte 0: byte order mark {head[0]:X2} {head[1]:X2}); save it as UTF-8");
        return whole && head.StartsWith("\uFEFF"u8) ? 3 : 0;
    }

    static int Fill(Stream stream, Span<byte> destination, string path, int line)
    {
        try
        {
            return stream.Read(destination);
        }
        catch (InvalidDataException e)
        {
            throw new RecallException($"{path}: the gzip stream is broken or ends early (near line {line}): {e.Message}; was the download cut short?", e);
        }
        catch (IOException e)
        {
            throw new RecallException($"{path}: cannot be read near line {line}: {e.Message}", e);
        }
    }

    static string Decode(ReadOnlySpan<byte> bytes, string path, int number, long offset)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes)) return Encoding.UTF8.GetString(bytes);
        int at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out int length) == OperationStatus.Done) at += length;
        throw new RecallException($"{path}:{number}: is not UTF-8 (byte {offset + at} of the file is 0x{bytes[at]:X2}); save it as UTF-8");
    }
}
