using System.Globalization;
using System.Text.RegularExpressions;

namespace Recall.Configuration.Yaml;

/// <summary>
/// What plain scalars mean in YAML 1.1, as PyYAML resolves them: <c>yes</c> is true, <c>010</c> is 8, <c>1_0.0</c> is 10, <c>1:30</c> is 90;
/// <c>1e-4</c> without a dot is text there, but numbers in text are taken as numbers wherever a number is wanted, as mergekit does.
/// </summary>
static partial class Yaml11
{
    /// <summary>True for an empty plain scalar, <c>~</c> and <c>null</c>.</summary>
    public static bool IsNull(YamlNode? node) => node is null or YamlScalar { Plain: true, Text: "" or "~" or "null" or "Null" or "NULL" };

    /// <summary>A truth value, if the scalar is one.</summary>
    public static bool? Boolean(YamlNode node) => node is not YamlScalar scalar ? null : scalar.Text switch
    {
        "yes" or "Yes" or "YES" or "true" or "True" or "TRUE" or "on" or "On" or "ON" => true,
        "no" or "No" or "NO" or "false" or "False" or "FALSE" or "off" or "Off" or "OFF" => false,
        _ => null,
    };

    /// <summary>A number, if the scalar is one; truth values count as 1 and 0.</summary>
    public static double? Number(YamlNode node)
    {
        if (node is not YamlScalar scalar) return null;
        if (scalar.Plain && Boolean(node) is { } truth) return truth ? 1 : 0;
        string text = scalar.Text.Trim();
        if (scalar.Plain && PlainInteger(text) is { } integer) return integer;
        string digits = text.Replace("_", "", StringComparison.Ordinal);
        if (Sexagesimal().IsMatch(text) && scalar.Plain) return Sixties(digits);
        switch (digits.TrimStart('+', '-').ToLowerInvariant())
        {
            case ".inf" or "inf" or "infinity": return digits[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            case ".nan" or "nan": return double.NaN;
        }
        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && char.IsAsciiDigit(digits[^1]) | digits[^1] == '.'
            ? value
            : null;
    }

    static double? PlainInteger(string text)
    {
        var match = Integer().Match(text);
        if (!match.Success) return null;
        string digits = match.Groups["digits"].Value.Replace("_", "", StringComparison.Ordinal);
        double sign = text[0] == '-' ? -1 : 1;
        int radix = match.Groups["prefix"].Value switch { "0b" => 2, "0x" => 16, "0" => 8, _ => 10 };
        double value = 0;
        foreach (char digit in digits) value = value * radix + (char.IsAsciiDigit(digit) ? digit - '0' : char.ToLowerInvariant(digit) - 'a' + 10);
        return sign * value;
    }

    static double Sixties(string text)
    {
        double sign = text[0] == '-' ? -1 : 1, value = 0;
        foreach (string part in text.TrimStart('+', '-').Split(':')) value = value * 60 + double.Parse(part, CultureInfo.InvariantCulture);
        return sign * value;
    }

    [GeneratedRegex(@"^[-+]?(?:(?<prefix>0b)(?<digits>[01_]+)|(?<prefix>0x)(?<digits>[0-9a-fA-F_]+)"
        + @"|(?<prefix>0)(?<digits>[0-7_]+)|(?<digits>0|[1-9][0-9_]*))$", RegexOptions.ExplicitCapture)]
    private static partial Regex Integer();

    [GeneratedRegex(@"^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Sexagesimal();
}
