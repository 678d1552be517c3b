using System.Globalization;
using System.Text;

namespace Recall;

/// <summary>Foreign text in messages: names out of a file may hold line breaks, escapes of a terminal, or a megabyte.</summary>
static class Quoted
{
    const int Longest = 120;

    /// <summary>The text in single quotes, control characters escaped, cut after 120 characters.</summary>
    public static string Of(string text) => $"'{Plain(text)}'";

    /// <summary>The same without the quotes: for key paths, and for messages of other libraries.</summary>
    public static string Plain(string text)
    {
        var plain = new StringBuilder();
        foreach (var rune in (text.Length > Longest ? text[..Longest] : text).EnumerateRunes())
        {
            if (Rune.IsControl(rune)
                || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
                plain.Append($"\\u{rune.Value:x4}");
            else
                plain.Append(rune);
        }
        return plain.Append(text.Length > Longest ? "…" : "").ToString();
    }

    /// <summary>The known word nearest to a mistyped one, if one is near enough to be meant: at most a third of its letters differ.</summary>
    public static string? Nearest(string word, IEnumerable<string> known)
    {
        string? nearest = null;
        int least = int.MaxValue;
        foreach (string candidate in known)
        {
            int distance = Distance(word.ToLowerInvariant(), candidate.ToLowerInvariant());
            if (distance >= least || distance > Math.Max(1, Math.Max(candidate.Length, word.Length) / 3)) continue;
            (nearest, least) = (candidate, distance);
        }
        return nearest;
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (optimal string alignment).</summary>
    static int Distance(string a, string b)
    {
        if (a.Length > Longest || b.Length > Longest) return int.MaxValue;
        var rows = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++) rows[i, 0] = i;
        for (int j = 0; j <= b.Length; j++) rows[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int replace = rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(replace, 1 + Math.Min(rows[i - 1, j], rows[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    rows[i, j] = Math.Min(rows[i, j], 1 + rows[i - 2, j - 2]);
            }
        }
        return rows[a.Length, b.Length];
    }
}
