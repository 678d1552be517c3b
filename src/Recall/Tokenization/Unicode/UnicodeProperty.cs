namespace Recall.Tokenization.Unicode;

/// <summary>The names between the braces of <c>\p{…}</c>, as items of a .NET character class.</summary>
static class UnicodeProperty
{
    static readonly Dictionary<string, string> Categories = new(StringComparer.OrdinalIgnoreCase)
    {
        ["L"] = "L", ["Letter"] = "L", ["Lu"] = "Lu", ["Uppercase_Letter"] = "Lu", ["Ll"] = "Ll", ["Lowercase_Letter"] = "Ll",
        ["Lt"] = "Lt",
        ["Titlecase_Letter"] = "Lt", ["Lm"] = "Lm", ["Modifier_Letter"] = "Lm", ["Lo"] = "Lo", ["Other_Letter"] = "Lo",
        ["M"] = "M", ["Mark"] = "M", ["Mn"] = "Mn", ["Nonspacing_Mark"] = "Mn", ["Mc"] = "Mc", ["Spacing_Mark"] = "Mc", ["Me"] = "Me",
        ["Enclosing_Mark"] = "Me", ["N"] = "N", ["Number"] = "N", ["Nd"] = "Nd", ["Decimal_Number"] = "Nd", ["Digit"] = "Nd", ["Nl"] = "Nl",
        ["Letter_Number"] = "Nl", ["No"] = "No", ["Other_Number"] = "No", ["P"] = "P", ["Punctuation"] = "P", ["Pc"] = "Pc", ["Pd"] = "Pd",
        ["Ps"] = "Ps", ["Pe"] = "Pe", ["Pi"] = "Pi", ["Pf"] = "Pf", ["Po"] = "Po", ["S"] = "S", ["Symbol"] = "S", ["Sm"] = "Sm",
        ["Sc"] = "Sc",
        ["Sk"] = "Sk", ["So"] = "So", ["Z"] = "Z", ["Separator"] = "Z", ["Zs"] = "Zs", ["Zl"] = "Zl", ["Zp"] = "Zp", ["C"] = "C",
        ["Other"] = "C",
        ["Cc"] = "Cc", ["Cf"] = "Cf", ["Co"] = "Co", ["Cn"] = "Cn",
    };

    // The scripts that patterns in use name; characters beyond U+FFFF of Han have a representative of their own.
    static readonly Dictionary<string, string> Others = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Han"] = @"\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFA6D\uFA70-\uFAD9",
        ["Hiragana"] = @"\u3041-\u3096\u309D-\u309F",
        ["Katakana"] = @"\u30A1-\u30FA\u30FD-\u30FF\u31F0-\u31FF\u32D0-\u32FE\u3300-\u3357\uFF66-\uFF6F\uFF71-\uFF9D",
        ["Hangul"] = @"\u1100-\u11FF\u302E\u302F\u3131-\u318E\u3200-\u321E\u3260-\u327E"
            + @"\uA960-\uA97C\uAC00-\uD7A3\uD7B0-\uD7C6\uD7CB-\uD7FB\uFFA0-\uFFBE\uFFC2-\uFFC7\uFFCA-\uFFCF\uFFD2-\uFFD7\uFFDA-\uFFDC",
        ["Space"] = @"\s",
        ["Word"] = OnigurumaPattern.WordItems,
    };

    /// <summary>The items, or null for a name that is not known.</summary>
    public static string? Items(string name)
    {
        string plain = name.Trim().Replace(' ', '_');
        return Categories.TryGetValue(plain, out string? category) ? $@"\p{{{category}}}" : Others.GetValueOrDefault(plain);
    }
}
