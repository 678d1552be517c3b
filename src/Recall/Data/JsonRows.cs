using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Data;

/// <summary>Rows of JSON: an object a line, or a list of objects.</summary>
static class JsonRows
{
    const int Deepest = 512;
    const int LongestDocument = 1 << 29;

    /// <summary>JSON Lines: an object a line; lines of blanks are left out.</summary>
    public static IEnumerable<DataRow> Lines(IEnumerable<TextLine> lines, string path)
    {
        int number = 0;
        foreach (var line in lines)
        {
            if (line.Text.AsSpan().Trim(" \t\r").IsEmpty) continue;
            var row = Parse(line.Text, path, line.Number) as JsonObject
                ?? throw new RecallException($"{path}:{line.Number}: a row must be an object {{…}}, not {Quoted.Of(line.Text.Trim())}");
            yield return new DataRow(++number, row);
        }
    }

    /// <summary>One document: a list of objects, an object that holds one, or a single row. A file of JSON Lines by another name is read
    /// too.</summary>
    public static IEnumerable<DataRow> Document(IEnumerable<TextLine> lines, string path, string? field)
    {
        var text = new StringBuilder();
        foreach (var line in lines)
        {
            text.Append(line.Text).Append(line.Ended ? "\n" : "");
            if (text.Length > LongestDocument)
                throw new RecallException($"{path}: has more than {LongestDocument >> 20} Mi characters; write it as .jsonl, an object a line");
        }
        string whole = text.ToString();
        if (IsLines(whole)) return Lines(whole.Split('\n').Select((line, i) => new TextLine(i + 1, line, Ended: true)), path);
        return Rows(Parse(whole, path, 1), path, field).Select((row, i) => new DataRow(i + 1, row));
    }

    /// <summary>Whether two lines or more are objects of their own: a file named .json often holds JSON Lines.</summary>
    static bool IsLines(string text)
    {
        string[] begins = [.. text.Split('\n').Where(line => !string.IsNullOrWhiteSpace(line)).Take(2)];
        if (begins.Length < 2 || !begins.All(line => line.TrimStart().StartsWith('{') && line.TrimEnd().EndsWith('}'))) return false;
        try
        {
            using var first = JsonDocument.Parse(begins[0], new JsonDocumentOptions { MaxDepth = Deepest });
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    static IEnumerable<JsonObject> Rows(JsonNode? document, string path, string? field)
    {
        string place = path;
        foreach (string key in field?.Split('.') ?? [])
        {
            if (document is not JsonObject parent || !parent.TryGetPropertyValue(key, out document))
                throw new RecallException($"{place}: has no {Quoted.Of(key)}, where the rows should "
                    + $"be{(document is JsonObject o ? Templates.JinjaTemplate.Fields(key, o) : "")}");
            place += $": {key}";
        }
        if (field is null && document is JsonObject single)
        {
            var lists = single.Where(entry => entry.Value is JsonArray { Count: > 0 } list && list.All(item =>
                item is JsonObject)).ToList();
            if (lists.Count != 1 || single.Any(entry => entry.Key != lists[0].Key && entry.Value is JsonArray)) return [single];
            document = lists[0].Value;
        }
        return document switch
        {
            JsonArray list => list.Select((item, i) => item as JsonObject
                ?? throw new RecallException($"{place}: row {i + 1} must be an object, not {Quoted.Of(item?.ToJsonString() ?? "null")}")),
            JsonObject one => [one],
            _ => throw new RecallException($"{place}: must be a list of objects, or an object"),
        };
    }

    static JsonNode? Parse(string text, string path, int firstLine)
    {
        JsonException strict;
        try
        {
            return Convert(ParseStrictly(text), path, firstLine);
        }
        catch (JsonException e)
        {
            strict = e;
        }
        try
        {
            if (QuoteWords(text) is { } quoted) return Convert(ParseStrictly(quoted), path, firstLine);
        }
        catch (JsonException)
        {
            // The place in the text as it is tells more.
        }
        int cut = strict.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        string what = cut < 0 ? strict.Message : strict.Message[..cut];
        throw new RecallException($"{path}:{firstLine + (strict.LineNumber ?? 0)}:{(strict.BytePositionInLine ?? 0) + 1}: is not valid JSON: {what}", strict);
    }

    static JsonElement ParseStrictly(string text)
    {
        // Not disposed: rows keep the digits of their numbers in it.
        return JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = Deepest, AllowDuplicateProperties = true }).RootElement;
    }

    /// <summary>Python's words NaN, Infinity and -Infinity as texts; null where there are none outside of texts.</summary>
    static string? QuoteWords(string text)
    {
        var quoted = new StringBuilder(text.Length + 16);
        bool inside = false, found = false;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (inside && c == '\\' && i + 1 < text.Length)
            {
                quoted.Append(c).Append(text[++i]);
                continue;
            }
            if (c == '"') inside = !inside;
            string? word = inside ? null : Array.Find(["NaN", "Infinity", "-Infinity"], word =>
                string.CompareOrdinal(text, i, word, 0, word.Length) == 0);
            if (word is null)
            {
                quoted.Append(c);
                continue;
            }
            quoted.Append('"').Append(word).Append('"');
            i += word.Length - 1;
            found = true;
        }
        return found ? quoted.ToString() : null;
    }

    /// <summary>Of equal keys the last one counts; numbers keep their digits.</summary>
    static JsonNode? Convert(JsonElement element, string path, int line)
    {
        try
        {
            return Convert(element);
        }
        catch (InvalidOperationException e)
        {
            throw new RecallException($"{path}:{line}: holds half of a surrogate pair (\\ud800 … \\udfff), which is no text", e);
        }
    }

    static JsonNode? Convert(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var fields = new JsonObject();
                foreach (var property in element.EnumerateObject()) fields[property.Name] = Convert(property.Value);
                return fields;
            case JsonValueKind.Array:
                var list = new JsonArray();
                foreach (var item in element.EnumerateArray()) list.Add(Convert(item));
                return list;
            case JsonValueKind.String: return JsonValue.Create(element.GetString());
            case JsonValueKind.Number:
                string digits = element.GetRawText();
                bool whole = digits.AsSpan().IndexOfAny('.', 'e', 'E') < 0;
                return whole || double.IsFinite(element.GetDouble()) ? JsonValue.Create(element)
                    : DataSet.Number(double.Parse(digits, CultureInfo.InvariantCulture));
            case JsonValueKind.True or JsonValueKind.False: return JsonValue.Create(element.GetBoolean());
            default: return null;
        }
    }
}
