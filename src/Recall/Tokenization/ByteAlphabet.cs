using System.Text;

namespace Recall.Tokenization;

/// <summary>GPT-2's alphabet: every byte as one printable character; bytes that are none move to U+0100 and after.</summary>
static class ByteAlphabet
{
    static readonly char[] Characters = Build();
    static readonly short[] Bytes = Invert();

    /// <summary>The character of a byte.</summary>
    public static char Of(byte value) => Characters[value];

    /// <summary>The bytes of a text in UTF-8, as characters.</summary>
    public static string Map(ReadOnlySpan<char> text)
    {
        Span<byte> utf8 = text.Length <= 256 ? stackalloc byte[text.Length * 3] : new byte[Encoding.UTF8.GetByteCount(text)];
        int count = Encoding.UTF8.GetBytes(text, utf8);
        Span<char> mapped = count <= 768 ? stackalloc char[count] : new char[count];
        for (int i = 0; i < count; i++) mapped[i] = Characters[utf8[i]];
        return mapped.ToString();
    }

    /// <summary>Appends the bytes that a token stands for; a token with a character outside the alphabet stands for its own
    /// UTF-8.</summary>
    public static void Unmap(string token, List<byte> bytes)
    {
        foreach (char c in token)
        {
            if (c < Bytes.Length && Bytes[c] >= 0) continue;
            bytes.AddRange(Encoding.UTF8.GetBytes(token));
            return;
        }
        foreach (char c in token) bytes.Add((byte)Bytes[c]);
    }

    static char[] Build()
    {
        var characters = new char[256];
        int moved = 0;
        for (int i = 0; i < 256; i++)
            characters[i] = i is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)i : (char)(256 + moved++);
        return characters;
    }

    static short[] Invert()
    {
        var bytes = new short[Characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int i = 0; i < 256; i++) bytes[Characters[i]] = (short)i;
        return bytes;
    }
}
