using System.Text;

namespace Recall.Tokenization.Unicode;

/// <summary>The four normal forms (Unicode Standard Annex 15).</summary>
static class UnicodeNormalization
{
    const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7, Vowels = 21, Trails = 28,
        Syllables = 19 * Vowels * Trails;

    /// <summary>The text in canonical or compatible form, composed (NFC, NFKC) or decomposed (NFD, NFKD).</summary>
    public static string Normalize(string text, bool compatible, bool compose)
    {
        if (IsSurelyNormal(text, compatible, compose)) return text;
        var codes = Decompose(text, compatible);
        Reorder(codes);
        if (compose) Compose(codes);
        var normalized = new StringBuilder(text.Length);
        foreach (int code in codes) normalized.Append(new Rune(code).ToString());
        return normalized.ToString();
    }

    /// <summary>Below U+0300 every character is in NFC, below U+00C0 in NFD, below U+00A0 in all four.</summary>
    static bool IsSurelyNormal(string text, bool compatible, bool compose)
    {
        char first = compatible ? '\u00A0' : compose ? '\u0300' : '\u00C0';
        return !text.AsSpan().ContainsAnyInRange(first, char.MaxValue);
    }

    static List<int> Decompose(string text, bool compatible)
    {
        var codes = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            int syllable = rune.Value - HangulBase;
            if (syllable is >= 0 and < Syllables)
            {
                codes.Add(LeadBase + syllable / (Vowels * Trails));
                codes.Add(VowelBase + syllable % (Vowels * Trails) / Trails);
                if (syllable % Trails != 0) codes.Add(TrailBase + syllable % Trails);
            }
            else if (rune.Value >= 0xA0 && UnicodeTables.Decomposition(rune.Value, compatible) is { } parts)
            {
                codes.AddRange(parts);
            }
            else
            {
                codes.Add(rune.Value);
            }
        }
        return codes;
    }

    /// <summary>Sorts each run of combining marks by class; marks of one class keep their order.</summary>
    static void Reorder(List<int> codes)
    {
        for (int start = 0; start < codes.Count; start++)
        {
            if (UnicodeTables.CombiningClass(codes[start]) == 0) continue;
            int end = start;
            while (end < codes.Count && UnicodeTables.CombiningClass(codes[end]) != 0) end++;
            int[] sorted = [.. codes[start..end].OrderBy(UnicodeTables.CombiningClass)];
            for (int i = start; i < end; i++) codes[i] = sorted[i - start];
            start = end;
        }
    }

    static void Compose(List<int> codes)
    {
        int starter = -1, kept = 0, lastClass = -1;
        for (int i = 0; i < codes.Count; i++)
        {
            int code = codes[i], combining = UnicodeTables.CombiningClass(code);
            if (starter >= 0 && lastClass < combining | lastClass == -1 && Pair(codes[starter], code) is >= 0 and var composed)
            {
                codes[starter] = composed;
                continue;
            }
            codes[kept] = code;
            if (combining == 0) (starter, lastClass) = (kept, -1);
            else lastClass = combining;
            kept++;
        }
        codes.RemoveRange(kept, codes.Count - kept);
    }

    static int Pair(int first, int second)
    {
        int lead = first - LeadBase, vowel = second - VowelBase;
        if (lead is >= 0 and < 19 && vowel is >= 0 and < Vowels) return HangulBase + (lead * Vowels + vowel) * Trails;
        int syllable = first - HangulBase, trail = second - TrailBase;
        if (syllable is >= 0 and < Syllables && syllable % Trails == 0 && trail is > 0 and < Trails) return first + trail;
        return UnicodeTables.Composition(first, second);
    }
}
