using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Recall.Data.Tasks;

/// <summary>Lists, mappings, texts and numbers as Python prints them, which is how a Jinja template hands over a list.</summary>
sealed class PythonLiteral
{
    const int Deepest = 64;

    readonly string _text;
    int _at;

    PythonLiteral(string text) => _text = text;

    /// <summary>The value of a text; false where it is none.</summary>
    public static bool TryParse(string text, out JsonNode? value)
    {
        var reader = new PythonLiteral(text);
        bool read = reader.Value(out value, 0);
        reader.Skip();
        return read && reader._at == text.Length;
    }

    bool Value(out JsonNode? value, int depth)
    {
        value = null;
        Skip();
        if (_at >= _text.Length || depth > Deepest) return false;
        char c = _text[_at];
        switch (c)
        {
            case '[' or '(':
                _at++;
                return List(c == '[' ? ']' : ')', out value, depth);
            case '{':
                _at++;
                return Mapping(out value, depth);
            case '\'' or '"': return Text(out value);
        }
        foreach (var (word, meaning) in (ReadOnlySpan<(string, JsonNode?)>)[("True", JsonValue.Create(true)), ("False",
            JsonValue.Create(false)), ("None", null)])
        {
            if (string.CompareOrdinal(_text, _at, word, 0, word.Length) != 0) continue;
            _at += word.Length;
            value = meaning;
            return true;
        }
        return Number(out value);
    }

    bool List(char close, out JsonNode? value, int depth)
    {
        var list = new JsonArray();
        value = list;
        while (!Accept(close))
        {
            if (!Value(out var item, depth + 1)) return false;
            list.Add(item);
            if (!Accept(',') && !Peek(close)) return false;
        }
        return true;
    }

    bool Mapping(out JsonNode? value, int depth)
    {
        var fields = new JsonObject();
        value = fields;
        while (!Accept('}'))
        {
            if (!Value(out var key, depth + 1) || !Accept(':') || !Value(out var item, depth + 1)) return false;
            fields[key is JsonValue text && text.TryGetValue(out string? name) ? name : key?.ToJsonString() ?? "None"] = item;
            if (!Accept(',') && !Peek('}')) return false;
        }
        return true;
    }

    bool Text(out JsonNode? value)
    {
        value = null;
        char quote = _text[_at++];
        var text = new StringBuilder();
        while (_at < _text.Length && _text[_at] != quote)
        {
            char c = _text[_at++];
            if (c != '\\')
            {
                text.Append(c);
                continue;
            }
            if (_at >= _text.Length) return false;
            c = _text[_at++];
            int digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            if (digits > 0)
            {
                if (_at + digits > _text.Length
                    || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int code)
                    || !Rune.IsValid(code)) return false;
                text.Append(new Rune(code));
                _at += digits;
                continue;
            }
            text.Append(c switch { 'n' => "\n", 'r' => "\r", 't' => "\t", '\\' or '\'' or '"' => c.ToString(), _ => "\\" + c });
        }
        if (_at++ >= _text.Length) return false;
        value = JsonValue.Create(text.ToString());
        return true;
    }

    bool Number(out JsonNode? value)
    {
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '.' or '+' or '-')) _at++;
        string digits = _text[start.._at];
        value = null;
        if (!double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            || !double.IsFinite(number)) return false;
        bool whole = digits.AsSpan().TrimStart("+-").IndexOfAnyExceptInRange('0', '9') < 0;
        value = whole ? JsonNode.Parse(System.Numerics.BigInteger.Parse(digits,
            CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture)) : DataSet.Number(number);
        return true;
    }

    void Skip()
    {
        while (_at < _text.Length && char.IsWhiteSpace(_text[_at])) _at++;
    }

    bool Peek(char c)
    {
        Skip();
        return _at < _text.Length && _text[_at] == c;
    }

    bool Accept(char c)
    {
        if (!Peek(c)) return false;
        _at++;
        return true;
    }
}
