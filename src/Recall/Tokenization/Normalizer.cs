using System.Globalization;
using System.Text;
using Recall.Tokenization.Unicode;

namespace Recall.Tokenization;

/// <summary>A normalizer of tokenizer.json: text in, text out.</summary>
delegate string Normalizer(string text);

/// <summary>The normalizers that tokenizer.json may name.</summary>
static class Normalizers
{
    const string Known = "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Replace, Prepend, BertNormalizer, ByteLevel";

    /// <summary>The normalizer of a section; null: the text stays as it is.</summary>
    public static Normalizer? Read(JsonPart? part)
    {
        if (part is not { } section) return null;
        switch (section.Type)
        {
            case "Sequence": return Chain([.. section.Get("normalizers").Items.Select(item => Read(item)).OfType<Normalizer>()]);
            case "NFC": return text => UnicodeNormalization.Normalize(text, compatible: false, compose: true);
            case "NFD": return text => UnicodeNormalization.Normalize(text, compatible: false, compose: false);
            case "NFKC": return text => UnicodeNormalization.Normalize(text, compatible: true, compose: true);
            case "NFKD": return text => UnicodeNormalization.Normalize(text, compatible: true, compose: false);
            case "Lowercase": return Lowercase;
            case "StripAccents": return text => Without(text, IsMark);
            case "ByteLevel": return text => ByteAlphabet.Map(text);
            case "Strip":
                bool left = section.FindTruth("strip_left", true), right = section.FindTruth("strip_right", true);
                return text => (left, right) switch
                {
                    (true, true) => text.Trim(),
                    (true, false) => text.TrimStart(),
                    (false, true) =>
                    text.TrimEnd(),
                    _ => text
                };
            case "Replace":
                var pattern = TextPattern.Read(section.Get("pattern"));
                string content = section.Get("content").Text;
                return text => pattern.Replace(text, content);
            case "Prepend":
                string prepended = section.Get("prepend").Text;
                return text => text.Length == 0 ? text : prepended + text;
            case "BertNormalizer": return Bert(section);
            default: throw section.Unknown("normalizer", Known);
        }
    }

    static Normalizer? Chain(Normalizer[] steps) => steps.Length == 0 ? null : text => steps.Aggregate(text, (current, step) =>
        step(current));

    static Normalizer Bert(JsonPart section)
    {
        bool clean = section.FindTruth("clean_text", true), chinese = section.FindTruth("handle_chinese_chars", true);
        bool lower = section.FindTruth("lowercase", true), accents = section.FindTruth("strip_accents", lower);
        return text =>
        {
            if (clean) text = Clean(text);
            if (chinese) text = SpaceOutChinese(text);
            if (accents) text = Without(UnicodeNormalization.Normalize(text, compatible: false, compose: false), rune =>
                Rune.GetUnicodeCategory(rune) == UnicodeCategory.NonSpacingMark);
            return lower ? Lowercase(text) : text;
        };
    }

    /// <summary>Code point by code point, without regard to neighbours; U+0130 alone becomes two.</summary>
    static string Lowercase(string text)
    {
        var lower = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == 0x130) lower.Append("i\u0307");
            else lower.Append(Rune.ToLowerInvariant(rune));
        }
        return lower.ToString();
    }

    static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            bool blank = rune.Value is '\t' or '\n' or '\r' || Rune.IsWhiteSpace(rune);
            bool control = rune.Value is 0 or 0xFFFD || (!blank && Rune.GetUnicodeCategory(rune)
                is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse);
            if (rune.Value is not ('\t' or '\n' or '\r') && Rune.IsControl(rune)) control = true;
            if (!control) clean.Append(blank ? " " : rune.ToString());
        }
        return clean.ToString();
    }

    static string SpaceOutChinese(string text)
    {
        var spaced = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            bool chinese = rune.Value is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
                or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
            spaced.Append(chinese ? $" {rune} " : rune.ToString());
        }
        return spaced.ToString();
    }

    static string Without(string text, Func<Rune, bool> dropped)
    {
        var kept = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            if (!dropped(rune)) kept.Append(rune);
        return kept.ToString();
    }

    static bool IsMark(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;
}
