using System.Globalization;
using System.Text;

namespace Recall.Tokenization.Unicode;

/// <summary>
/// .NET's regexes see UTF-16 units, those of tokenizer.json code points. A text with characters beyond U+FFFF is therefore matched in a
/// shadow of
/// itself, one unit for each code point, where such a character is replaced by one of the same category that no pattern in use names.
/// </summary>
static class Representatives
{
    const char Han = '\uFA0E', CircledLetter = '\u24B7';

    static readonly Dictionary<UnicodeCategory, char> ByCategory = new()
    {
        [UnicodeCategory.UppercaseLetter] = '\uA640', [UnicodeCategory.LowercaseLetter] = '\uA641',
        [UnicodeCategory.ModifierLetter] = '\uA60C',
        [UnicodeCategory.OtherLetter] = '\uA000', [UnicodeCategory.NonSpacingMark] = '\uA66F',
        [UnicodeCategory.SpacingCombiningMark] = '\uA823',
        [UnicodeCategory.EnclosingMark] = '\uA670', [UnicodeCategory.DecimalDigitNumber] = '\uA620',
        [UnicodeCategory.LetterNumber] = '\uA6E6',
        [UnicodeCategory.OtherNumber] = '\uA830', [UnicodeCategory.ConnectorPunctuation] = '\uFE33',
        [UnicodeCategory.DashPunctuation] = '\uFE58',
        [UnicodeCategory.OpenPunctuation] = '\uFE59', [UnicodeCategory.ClosePunctuation] = '\uFE5A',
        [UnicodeCategory.OtherPunctuation] = '\uA60D',
        [UnicodeCategory.MathSymbol] = '\uFE62', [UnicodeCategory.CurrencySymbol] = '\uA838', [UnicodeCategory.ModifierSymbol] = '\uA700',
        [UnicodeCategory.OtherSymbol] = '\uA490', [UnicodeCategory.Format] = '\uFEFF', [UnicodeCategory.PrivateUse] = '\uE000',
        [UnicodeCategory.OtherNotAssigned] = '\uFDD0',
    };

    static readonly char[] All = [Han, CircledLetter, .. ByCategory.Values];

    /// <summary>The representatives that a range of a pattern holds: a character beyond U+FFFF would match the range by mistake.</summary>
    public static string Within(char first, char last) => first < CircledLetter && last < CircledLetter ? ""
        : string.Concat(All.Where(c => c >= first && c <= last));

    /// <summary>
    /// The shadow of a text, or null where it would need one of the <paramref name="confusable"/> characters. <paramref name="starts"/>
    /// receives
    /// where each code point begins, and the text's length at the end.
    /// </summary>
    public static string? Shadow(ReadOnlySpan<char> text, List<int> starts, string confusable)
    {
        var shadow = new StringBuilder(text.Length);
        int at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            starts.Add(at);
            at += rune.Utf16SequenceLength;
            char unit = rune.IsBmp ? (char)rune.Value : Of(rune);
            // Only \w tells circled letters from other symbols, and no pattern names both \w and such a range.
            if (!rune.IsBmp && unit == CircledLetter && confusable.Contains(unit)) unit = ByCategory[UnicodeCategory.OtherSymbol];
            if (!rune.IsBmp && confusable.Contains(unit)) return null;
            shadow.Append(unit);
        }
        starts.Add(at);
        return shadow.ToString();
    }

    static char Of(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.OtherLetter when rune.Value is >= 0x20000 and < 0x40000 => Han,
        UnicodeCategory.OtherSymbol when rune.Value is >= 0x1F130 and <= 0x1F149 or >= 0x1F150 and <= 0x1F169 or >= 0x1F170 and <= 0x1F189 => CircledLetter,
        var category => ByCategory.GetValueOrDefault(category, '\uFDD0'),
    };
}
