using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Recall.Data.Tasks;

/// <summary>The types that Hugging Face datasets finds for whole columns, and with them what a task's templates print.</summary>
static partial class ColumnTypes
{
    [GeneratedRegex(@"^\d{4}-\d\d-\d\d([ T]\d\d(:\d\d(:\d\d)?)?)?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Date();

    static readonly HashSet<string> Missing = new(StringComparer.Ordinal)
    {
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN",
            "None", "n/a", "nan", "null",
    };

    /// <summary>pandas: numbers are numbers, a gap makes integers floating, some words are gaps.</summary>
    public static IReadOnlyList<DataRow> OfCsv(IReadOnlyList<DataRow> rows)
    {
        if (rows.Count == 0) return rows;
        foreach (string name in rows[0].Fields.Select(field => field.Key).ToList())
        {
            var texts = rows.Select(row => (string)row.Fields[name]!).ToList();
            var present = texts.Where(text => !Missing.Contains(text)).ToList();
            bool gaps = present.Count < texts.Count;
            Func<string, JsonNode?> convert = present switch
            {
                [] => _ => null,
                _ when present.TrueForAll(text => long.TryParse(text, CultureInfo.InvariantCulture, out _)) =>
                    text => gaps ? DataSet.Number(double.Parse(text, CultureInfo.InvariantCulture))
                        : JsonValue.Create(long.Parse(text, CultureInfo.InvariantCulture)),
                _ when present.TrueForAll(text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _)) =>
                    text => DataSet.Number(double.Parse(text, CultureInfo.InvariantCulture)),
                _ when present.TrueForAll(text => text is "True" or "TRUE" or "true" or "False" or "FALSE" or "false") => text =>
                    JsonValue.Create(text[0] is 'T' or 't'),
                _ => text => JsonValue.Create(text),
            };
            for (int i = 0; i < rows.Count; i++) rows[i].Fields[name] = Missing.Contains(texts[i]) ? null : convert(texts[i]);
        }
        return rows;
    }

    /// <summary>
    /// Every row has every column; a column with a floating-point number has no integers; one whose texts are all dates or times holds
    /// points in time.
    /// </summary>
    public static IReadOnlyList<DataRow> OfJson(IReadOnlyList<DataRow> rows)
    {
        var names = new List<string>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        var floating = new HashSet<string>(StringComparer.Ordinal);
        var dates = new HashSet<string>(StringComparer.Ordinal);
        var others = new HashSet<string>(StringComparer.Ordinal);
        foreach (var row in rows)
        {
            foreach (var (name, value) in row.Fields)
            {
                if (known.Add(name)) names.Add(name);
                if (value is not null) (value is JsonValue text && text.TryGetValue(out string? day) && PointInTime(day) is not null
                    ? dates : others).Add(name);
                if (IsNumber(value) && value!.ToJsonString().AsSpan().IndexOfAny('.', 'e', 'E') >= 0) floating.Add(name);
            }
        }
        return [.. rows.Select(row => new DataRow(row.Number, new JsonObject(names.Select(name =>
            KeyValuePair.Create(name, Typed(row.Fields[name], floating.Contains(name), dates.Contains(name)
            && !others.Contains(name)))))))];
    }

    static JsonNode? Typed(JsonNode? value, bool floating, bool date)
    {
        if (date && value is not null) return JsonValue.Create(PointInTime((string)value!));
        return floating && IsNumber(value) ? DataSet.Number(double.Parse(value!.ToJsonString(), CultureInfo.InvariantCulture))
            : value?.DeepClone();
    }

    static string? PointInTime(string text) =>
        Date().IsMatch(text) && DateTime.TryParse(text.Length == 13 ? text + ":00" : text, CultureInfo.InvariantCulture, out var time)
            ? time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) : null;

    static bool IsNumber(JsonNode? value) => value is JsonValue && value.GetValueKind() == JsonValueKind.Number;
}
