using System.Text.RegularExpressions;

namespace Recall.Tokenization.Unicode;

/// <summary>A regex of tokenizer.json (Oniguruma's language, code points), or a literal text, ready to be looked for.</summary>
sealed class TextPattern
{
    // One search of one text. A pattern that needs longer explodes (nested quantifiers): an error tells better than a run that never ends.
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    readonly Regex _regex;
    readonly string _source, _where, _confusable;

    TextPattern(Regex regex, string source, string where, string confusable)
    {
        (_regex, _source, _where, _confusable) = (regex, source, where, confusable);
    }

    /// <summary>A regex in Oniguruma's language.</summary>
    /// <exception cref="RecallException">Not valid, or beyond what Recall translates.</exception>
    public static TextPattern Parse(string pattern, string where)
    {
        var (translated, confusable) = OnigurumaPattern.Translate(pattern, where);
        return Create(translated, pattern, where, confusable);
    }

    /// <summary>A text that matches itself.</summary>
    public static TextPattern Literal(string text, string where) => Create(Regex.Escape(text), text, where, confusable: "");

    /// <summary>A JSON object <c>{"Regex": …}</c> or <c>{"String": …}</c>.</summary>
    public static TextPattern Read(JsonPart part) => part.Find("Regex") is { } regex ? Parse(regex.Text, $"{part.Where}: {regex.Path}")
        : part.Find("String") is { } literal ? Literal(literal.Text, $"{part.Where}: {literal.Path}")
        : throw part.Error("a pattern has a 'Regex' or a 'String'");

    /// <summary>Appends the matches, from left to right, as start and end.</summary>
    public void Find(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        try
        {
            if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
            {
                foreach (var match in _regex.EnumerateMatches(text)) matches.Add((match.Index, match.Index + match.Length));
                return;
            }
            var starts = new List<int>(text.Length + 1);
            string shadow = Representatives.Shadow(text, starts, _confusable) ?? throw new RecallException(
                $"{_where}: the regex {Quoted.Of(_source)} names a range that Recall cannot tell from characters beyond U+FFFF, which the text holds");
            foreach (var match in _regex.EnumerateMatches(shadow)) matches.Add((starts[match.Index], starts[match.Index + match.Length]));
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new RecallException($"{_where}: the regex {Quoted.Of(_source)} takes more than {Limit.TotalSeconds} s on a text of {text.Length} "
                + "characters", e);
        }
    }

    /// <summary>The text with every match replaced by a literal text.</summary>
    public string Replace(string text, string content)
    {
        var matches = new List<(int Start, int End)>();
        Find(text, matches);
        if (matches.Count == 0) return text;
        var replaced = new System.Text.StringBuilder(text.Length);
        int at = 0;
        foreach (var (start, end) in matches)
        {
            replaced.Append(text, at, start - at).Append(content);
            at = end;
        }
        return replaced.Append(text, at, text.Length - at).ToString();
    }

    static TextPattern Create(string translated, string source, string where, string confusable)
    {
        try
        {
            var options = RegexOptions.CultureInvariant | RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.Compiled;
            return new TextPattern(new Regex(translated, options, Limit), source, where, confusable);
        }
        catch (ArgumentException e)
        {
            throw new RecallException($"{where}: {Quoted.Of(source)} is not a regex that Recall can read: {e.Message}", e);
        }
    }
}
