using System.Buffers;
using System.Text.RegularExpressions;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// A regular expression of an adapter's config that names modules. It fits a module when it matches the whole of the name, or all of it
/// after a dot:
/// <c>(.*\.)?(P)</c>. The config is foreign: matching takes linear time, or ends after two seconds with an error.
/// </summary>
sealed class ModulePattern
{
    const int Longest = 1000;

    static readonly SearchValues<char> Literal = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.");
    static readonly TimeSpan LongestMatch = TimeSpan.FromSeconds(2);

    readonly string _text, _where;
    readonly Regex? _expression;

    ModulePattern(string text, string where, Regex? expression)
    {
        _text = text;
        _where = where;
        _expression = expression;
    }

    /// <summary>A pattern that fits by the end of the name, as in rank_pattern.</summary>
    /// <param name="text">P.</param>
    /// <param name="where">What messages begin with: the file and the key.</param>
    /// <exception cref="RecallException">Not a regular expression.</exception>
    public static ModulePattern AtEnd(string text, string where)
    {
        // Hundreds of plain names, one a module, are common: those are compared, not matched.
        bool literal = text.Length > 0 && !text.AsSpan().ContainsAnyExcept(Literal);
        return literal ? new ModulePattern(text, where, null) : Compile(text, @"\A(?:(.*\.)?(" + text + @"))\z", where);
    }

    /// <summary>A pattern that must match the whole name, as target_modules does.</summary>
    /// <exception cref="RecallException">Not a regular expression.</exception>
    public static ModulePattern Whole(string text, string where) => Compile(text, @"\A(?:" + text + @")\z", where);

    /// <summary>A pattern that may match anywhere in the name.</summary>
    /// <exception cref="RecallException">Not a regular expression.</exception>
    public static ModulePattern Anywhere(string text, string where) => Compile(text, text, where);

    /// <summary>True where the pattern fits the module.</summary>
    /// <exception cref="RecallException">The expression takes too long.</exception>
    public bool Fits(string module)
    {
        if (_expression is null) return FitsLiterally(module);
        try
        {
            return _expression.IsMatch(module);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new RecallException($"{_where}: pattern {Quoted.Of(_text)} takes longer than {LongestMatch.TotalSeconds} s to match "
                + $"{Quoted.Of(module)}", e);
        }
    }

    bool FitsLiterally(string module)
    {
        int before = module.Length - _text.Length;
        if (before < 0 || (before > 0 && module[before - 1] != '.')) return false;
        for (int i = _text.Length - 1; i >= 0; i--)
            if (_text[i] != module[before + i] && _text[i] != '.') return false;
        return true;
    }

    static ModulePattern Compile(string text, string expression, string where)
    {
        if (text.Length > Longest)
            throw new RecallException($"{where}: pattern {Quoted.Of(text)} has {text.Length} characters, more than {Longest}");
        // Python writes (?P<name>…) where .NET writes (?<name>…).
        expression = expression.Replace("(?P<", "(?<", StringComparison.Ordinal);
        try
        {
            _ = new Regex(text.Replace("(?P<", "(?<", StringComparison.Ordinal), RegexOptions.None, LongestMatch);
            var linear = new Regex(expression, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, LongestMatch);
            return new ModulePattern(text, where, linear);
        }
        catch (NotSupportedException)       // look-around and back-references need the other engine
        {
            return new ModulePattern(text, where, new Regex(expression, RegexOptions.CultureInvariant, LongestMatch));
        }
        catch (ArgumentException e)
        {
            throw new RecallException($"{where}: pattern {Quoted.Of(text)} is not a regular expression: at "
                + $"character{e.Message.Split("at offset")[^1]}", e);
        }
    }
}
