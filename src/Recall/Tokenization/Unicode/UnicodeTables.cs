using System.Globalization;

namespace Recall.Tokenization.Unicode;

/// <summary>
/// Decompositions, combining classes and compositions of Unicode 14 (normalization.txt, made by eng/unicode-tables.py). The process runs
/// with the
/// invariant culture, under which <see cref="string.Normalize()"/> returns its input as it is.
/// </summary>
static class UnicodeTables
{
    static readonly Dictionary<int, int[]> Canonical = [], Compatible = [];
    static readonly Dictionary<int, byte> Classes = [];
    static readonly Dictionary<(int, int), int> Pairs = [];

    static UnicodeTables()
    {
        using var lines = new StreamReader(typeof(UnicodeTables).Assembly.GetManifestResourceStream("Recall.Tokenization.Unicode.normalization.txt")!);
        while (lines.ReadLine() is { } line)
        {
            if (line[0] == '#') continue;
            string[] words = line.Split(' ');
            if (words[0] == "C")
            {
                for (int c = Hex(words[1]); c <= Hex(words[2]); c++) Classes.Add(c, byte.Parse(words[3], CultureInfo.InvariantCulture));
                continue;
            }
            int[] codes = [.. words.Skip(1).Select(Hex)];
            switch (words[0])
            {
                case "D": Canonical.Add(codes[0], codes[1..]); break;
                case "K": Compatible.Add(codes[0], codes[1..]); break;
                default: Pairs.Add((codes[1], codes[2]), codes[0]); break;
            }
        }
    }

    /// <summary>The full decomposition of a code point, or null where it stands for itself.</summary>
    public static int[]? Decomposition(int code, bool compatible) =>
        (compatible ? Compatible.GetValueOrDefault(code) : null) ?? Canonical.GetValueOrDefault(code);

    /// <summary>Canonical combining class; 0 for starters.</summary>
    public static int CombiningClass(int code) => code < 0x300 ? 0 : Classes.GetValueOrDefault(code);

    /// <summary>The primary composite of two code points, or −1.</summary>
    public static int Composition(int first, int second) => Pairs.GetValueOrDefault((first, second), -1);

    static int Hex(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
