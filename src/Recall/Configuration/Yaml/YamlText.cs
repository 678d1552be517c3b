using System.Globalization;

namespace Recall.Configuration.Yaml;

/// <summary>Writes the scalars of a config.</summary>
static class YamlText
{
    /// <summary>A text, plain where it means itself, in single quotes elsewhere.</summary>
    /// <exception cref="RecallException">It holds control characters: no name does.</exception>
    public static string Of(string text)
    {
        if (text.Any(char.IsControl)) throw new RecallException($"{Quoted.Of(text)} holds a control character, and is no name");
        var plain = new YamlScalar(text, Plain: true, 0, 0, Anchored: false);
        bool itself = text.Length > 0 && (char.IsAsciiLetter(text[0]) || text[0] is '.' or '/')
            && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '/' or '_' or '-' or '@' or '+')
            && !Yaml11.IsNull(plain) && Yaml11.Boolean(plain) is null && Yaml11.Number(plain) is null;
        return itself ? text : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
    }

    /// <summary>A number.</summary>
    public static string Of(double number) => number.ToString("R", CultureInfo.InvariantCulture);
}
