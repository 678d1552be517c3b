using System.Globalization;
using System.Text;

namespace Recall.Tokenization.Unicode;

/// <summary>
/// Translates a regex of Oniguruma (Ruby's syntax, Unicode classes), which tokenizer.json files are written in, to .NET's: nested character
/// classes,
/// <c>\w</c>, <c>\h</c>, possessive quantifiers, Ruby's meaning of <c>(?m)</c>. What has no counterpart is refused by name.
/// </summary>
sealed class OnigurumaPattern
{
    internal const string WordItems = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9";

    readonly string _pattern, _where;
    readonly StringBuilder _output = new();
    int _at;
    char _lastEscape;
    string _confusable = "";

    OnigurumaPattern(string pattern, string where)
    {
        _pattern = pattern;
        _where = where;
    }

    /// <summary>The pattern for .NET, and those of <see cref="Representatives"/> that a range of it holds.</summary>
    public static (string Pattern, string Confusable) Translate(string pattern, string where)
    {
        if (pattern.Length > 100_000) throw new RecallException($"{where}: a regex of {pattern.Length} characters is too long");
        var translation = new OnigurumaPattern(pattern, where);
        translation.Run();
        return (translation._output.ToString(), translation._confusable);
    }

    void Run()
    {
        var groups = new Stack<int>();
        int atom = 0;
        while (_at < _pattern.Length)
        {
            char c = _pattern[_at++];
            switch (c)
            {
                case '(':
                    groups.Push(_output.Length);
                    atom = _output.Length;
                    if (!OpenGroup()) groups.Pop();
                    break;
                case ')':
                    if (groups.Count == 0) throw Error("has a ')' without '('");
                    atom = groups.Pop();
                    _output.Append(')');
                    break;
                case '*' or '+' or '?': Quantify(c.ToString(), atom, mayBePossessive: true); break;
                case '{' when Interval() is { } interval: Quantify(interval, atom, mayBePossessive: false); break;
                case '|' or '^' or '$' or '.':
                    atom = _output.Length;
                    _output.Append(c);
                    break;
                case '[':
                    atom = _output.Length;
                    _output.Append(ReadClass(0).Expression);
                    break;
                case '\\':
                    atom = _output.Length;
                    _output.Append(Escape(inClass: false).Expression);
                    break;
                default:
                    atom = _output.Length;
                    _output.Append(Literal(c));
                    break;
            }
        }
        if (groups.Count > 0) throw Error("has a '(' without ')'");
    }

    /// <summary>Copies the head of a group; false for one that has no end of its own.</summary>
    bool OpenGroup()
    {
        string rest = _pattern[_at..];
        foreach (string head in (ReadOnlySpan<string>)["?:", "?=", "?!", "?>", "?<=", "?<!"])
        {
            if (!rest.StartsWith(head, StringComparison.Ordinal)) continue;
            _output.Append('(').Append(head);
            _at += head.Length;
            return true;
        }
        if (!rest.StartsWith('?'))
        {
            _output.Append("(?:");
            return true;
        }
        int end = 1;
        while (end < rest.Length && (rest[end] is 'i' or 'm' or '-')) end++;
        if (end == 1 || end == rest.Length
            || rest[end] is not (':' or ')')) throw Error($"uses the group '(?{(rest.Length > 1 ? rest[1] : ' ')}…', which Recall does not read");
        // Ruby's m lets the dot match line ends: that is .NET's s.
        _output.Append('(').Append(rest[..(end + 1)].Replace('m', 's'));
        _at += end + 1;
        return rest[end] == ':';
    }

    void Quantify(string quantifier, int atom, bool mayBePossessive)
    {
        _output.Append(quantifier);
        if (_at >= _pattern.Length) return;
        if (_pattern[_at] == '?')
        {
            _at++;
            _output.Append('?');
        }
        else if (_pattern[_at] == '+')
        {
            _at++;
            // Only * + ? have a possessive form in Ruby: {n,m}+ repeats the repetition.
            _output.Insert(atom, mayBePossessive ? "(?>" : "(?:").Append(mayBePossessive ? ")" : ")+");
        }
    }

    /// <summary>The rest of {n}, {n,}, {n,m} or {,m}; null where the brace is a plain character.</summary>
    string? Interval()
    {
        int close = _pattern.IndexOf('}', _at);
        if (close < 0) return null;
        string[] bounds = _pattern[_at..close].Split(',');
        if (bounds.Length > 2 || bounds.All(bound => bound.Length == 0) || bounds.Any(bound => bound.Any(c =>
            !char.IsAsciiDigit(c)))) return null;
        if (bounds.Any(bound => bound.Length > 6)) throw Error("repeats more than 999,999 times");
        _at = close + 1;
        return bounds.Length == 1 ? $"{{{bounds[0]}}}" : $"{{{(bounds[0].Length == 0 ? "0" : bounds[0])},{bounds[1]}}}";
    }

    readonly record struct Term(string Items, string Expression, bool Simple, bool Negated)
    {
        public static Term Of(string items, bool negated = false) => new(items, negated ? $"[^{items}]"
            : $"[{items}]", Simple: true, negated);
        public static Term Whole(string expression) => new("", expression, Simple: false, Negated: false);
    }

    /// <summary>A class after its '[': unions of nested classes and intersections become alternatives and lookaheads.</summary>
    Term ReadClass(int depth)
    {
        if (depth > 32) throw Error("nests classes deeper than 32 levels");
        bool negated = Accept('^'), first = true;
        var items = new StringBuilder();
        var others = new List<string>();
        var left = new List<string>();
        while (true)
        {
            if (_at >= _pattern.Length) throw Error("has a '[' without ']'");
            char c = _pattern[_at++];
            if (c == ']' && !first) break;
            first = false;
            Term? escape = c == '\\' ? Escape(inClass: true) : null;
            if (c == '[')
            {
                if (_at < _pattern.Length && _pattern[_at] == ':') throw Error("uses a POSIX bracket [:…:], which Recall does not read");
                Add(ReadClass(depth + 1), items, others);
            }
            else if (c == '&' && Accept('&'))
            {
                left.Add(Union(items, others));
                items.Clear();
                others.Clear();
            }
            else if (escape is { } set && !IsOne(set))
            {
                Add(set, items, others);
            }
            else
            {
                char from = escape is not null ? _lastEscape : Bmp(c), to = from;
                if (_at + 1 < _pattern.Length && _pattern[_at] == '-' && _pattern[_at + 1] is not (']' or '['))
                {
                    _at++;
                    char next = _pattern[_at++];
                    if (next == '\\' && !IsOne(Escape(inClass: true))) throw Error("has a range that ends in a class");
                    to = next == '\\' ? _lastEscape : Bmp(next);
                    if (to < from) throw Error("has a range that ends before it begins");
                }
                _confusable += Representatives.Within(from, to);
                items.Append(ClassLiteral(from));
                if (to != from) items.Append('-').Append(ClassLiteral(to));
            }
        }
        if (left.Count == 0 && others.Count == 0) return Term.Of(items.ToString(), negated);
        string whole = Union(items, others);
        foreach (string operand in left) whole = $"(?:(?={operand}){whole})";
        return Term.Whole(negated ? $@"(?:(?!{whole})[\s\S])" : whole);
    }

    static bool IsOne(Term escape) => escape.Simple && escape.Items.Length == 0;

    static void Add(Term term, StringBuilder items, List<string> others)
    {
        if (term is { Simple: true, Negated: false }) items.Append(term.Items);
        else others.Add(term.Expression);
    }

    static string Union(StringBuilder items, List<string> others)
    {
        string own = items.Length == 0 ? "" : $"[{items}]";
        if (others.Count == 0) return own.Length == 0 ? "(?!)" : own;
        return $"(?:{string.Join('|', own.Length == 0 ? others : others.Prepend(own))})";
    }

    /// <summary>What follows a backslash. A single character comes back with empty items, its code in <see cref="_lastEscape"/>.</summary>
    Term Escape(bool inClass)
    {
        if (_at >= _pattern.Length) throw Error("ends in a backslash");
        char c = _pattern[_at++];
        switch (c)
        {
            case 's': return Term.Of(@"\s");
            case 'S': return Term.Of(@"\s", negated: true);
            case 'd': return Term.Of(@"\p{Nd}");
            case 'D': return Term.Of(@"\p{Nd}", negated: true);
            case 'w': return Term.Of(WordItems);
            case 'W': return Term.Of(WordItems, negated: true);
            case 'h': return Term.Of("0-9a-fA-F");
            case 'H': return Term.Of("0-9a-fA-F", negated: true);
            case 'p' or 'P': return Property(c == 'P');
            case 'b' or 'B' or 'A' or 'z' or 'Z' or 'G' when !inClass: return Term.Whole($"\\{c}");
            case 'n': return One('\n');
            case 'r': return One('\r');
            case 't': return One('\t');
            case 'f': return One('\f');
            case 'v': return One('\v');
            case 'a': return One('\a');
            case 'e': return One('\u001b');
            case 'b': return One('\b');
            case '0': return One('\0');
            case 'u': return One(Hex(4, 4));
            case 'x' when Accept('{'):
                var code = Hex(1, 8);
                if (!Accept('}')) throw Error(@"has a \x{ without }");
                return One(code);
            case 'x': return One(Hex(1, 2));
            case (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or (>= '1' and <= '9'): throw Error($"uses '\\{c}', which Recall does not read");
            default: return One(Bmp(c));
        }
    }

    Term One(int code)
    {
        if (code is > 0xFFFF or (>= 0xD800 and < 0xE000)) throw BeyondBmp();
        _lastEscape = (char)code;
        return new Term("", Literal((char)code), Simple: true, Negated: false);
    }

    Term Property(bool negated)
    {
        int close = Accept('{') ? _pattern.IndexOf('}', _at) : -1;
        if (close < 0) throw Error(@"has a \p without {name}");
        string name = _pattern[_at..close];
        _at = close + 1;
        if (name.StartsWith('^')) (name, negated) = (name[1..], !negated);
        string? items = UnicodeProperty.Items(name);
        return items is null ? throw Error($"uses the property {Quoted.Of(name)}, which Recall does not know") : Term.Of(items, negated);
    }

    int Hex(int least, int most)
    {
        int start = _at;
        while (_at < _pattern.Length && _at - start < most && char.IsAsciiHexDigit(_pattern[_at])) _at++;
        if (_at - start < least) throw Error("has an escape without enough hexadecimal digits");
        uint code = uint.Parse(_pattern.AsSpan(start, _at - start), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return code > 0x10FFFF ? throw Error("names a code point beyond U+10FFFF") : (int)code;
    }

    bool Accept(char c)
    {
        if (_at >= _pattern.Length || _pattern[_at] != c) return false;
        _at++;
        return true;
    }

    char Bmp(char c) => char.IsSurrogate(c) ? throw BeyondBmp() : c;

    string Literal(char c) => Bmp(c) is '-' or ']' or '}' or '"' or '\'' || char.IsAsciiLetterOrDigit(c) || c > 0x7F ? c.ToString()
        : $"\\u{(int)c:X4}";

    static string ClassLiteral(char c) => char.IsAsciiLetterOrDigit(c) ? c.ToString() : $"\\u{(int)c:X4}";

    RecallException BeyondBmp() => Error("names characters beyond U+FFFF, which Recall's regexes cannot");

    RecallException Error(string what) => new($"{_where}: the regex {Quoted.Of(_pattern)} {what}");
}
