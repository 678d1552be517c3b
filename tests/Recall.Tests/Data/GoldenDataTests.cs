using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Data;

namespace Recall.Tests.Data;

/// <summary>Data files written by pyarrow, Python's csv and json, good and broken, against their rows (golden/data beside the
/// repository).</summary>
public class GoldenDataTests
{
    // What Parquet.Net 6.1 cannot read, or not tell: booleans in pages of version 2, float16, maps, a column without a name,
    // DELTA_BYTE_ARRAY.
    static readonly HashSet<string> BeyondTheLibrary =
    [
        "parquet/encoding_plain_v2.parquet", "parquet/encoding_dictionary_v2.parquet", "parquet/encoding_delta_v2.parquet",
            "parquet/encoding_delta_text.parquet",
        "parquet/row_groups_v2.parquet", "parquet/nested.parquet", "parquet/nested_old_names.parquet", "parquet/floats.parquet",
            "parquet/odd_names.parquet",
        "parquet/decimals.parquet",
    ];

    [Fact]
    public void RowsAreThoseOfTheReferenceAndBrokenFilesAreRefused()
    {
        string root = Fixtures.Shared("golden", "data");
        var failures = new List<string>();
        foreach (var @case in JsonNode.Parse(File.ReadAllText(Path.Combine(root, "cases.json")))!.AsArray())
        {
            string file = (string)@case!["file"]!;
            try
            {
                if (Check(root, file, @case.AsObject()) is { } failure) failures.Add($"{file}: {failure}");
            }
            catch (Exception e) when (e is not RecallException)
            {
                failures.Add($"{file}: {e.GetType().Name} {e}");
            }
        }
        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    static string? Check(string root, string file, JsonObject @case)
    {
        string path = Path.Combine(root, file);
        var options = new DataSetOptions(((string?)@case["options"]?["separator"])?[0], (bool?)@case["options"]?["header"]
            ?? true, (string?)@case["options"]?["field"]);
        List<DataRow> rows;
        try
        {
            rows = [.. DataSet.Read(path, options)];
        }
        catch (RecallException e)
        {
            if (@case["or_error"] is null && @case["error"] is null && !BeyondTheLibrary.Contains(file)) return $"refused: {e.Message}";
            if (!e.Message.StartsWith(path, StringComparison.Ordinal)) return $"names no file: {e.Message}";
            if (@case["line"] is { } line
                && !e.Message.Contains($"{path}:{line}:", StringComparison.Ordinal)) return $"wrong line, wanted {line}: {e.Message}";
            if (@case["byte"] is { } at
                && !e.Message.Contains($"byte {at}", StringComparison.Ordinal)) return $"wrong byte, wanted {at}: {e.Message}";
            if (@case["column"] is JsonValue column && column.GetValueKind() == JsonValueKind.Number)
            {
                int found = int.Parse(e.Message[(path.Length + 1)..].Split(':')[1], CultureInfo.InvariantCulture);
                if (Math.Abs(found - (int)column) > 2) return $"wrong column, wanted {column}: {e.Message}";
            }
            return null;
        }
        if (@case["error"] is not null && @case["or_rows"] is null) return @case["optional"] is null ? "read without an error" : null;
        var wanted = File.ReadLines(Path.Combine(root, (string)(@case["rows"] ?? @case["or_rows"])!)).Where(line => line.Length > 0)
            .Select(line => JsonNode.Parse(line, documentOptions: new JsonDocumentOptions { MaxDepth = 500 })!.AsObject()).ToList();
        if (@case["some_rows"] is not null)
        {
            if (rows.Count != (int)@case["num_rows"]!) return $"{rows.Count} rows";
            foreach (var row in wanted)
            {
                if (Difference(rows[(int)row["row"]!].Fields, row["values"]
                    ?? Without(row, "row")) is { } different) return $"row {row["row"]}: {different}";
            }
            return null;
        }
        if (rows.Count != wanted.Count) return $"{rows.Count} rows, wanted {wanted.Count}";
        for (int i = 0; i < rows.Count; i++)
        {
            if (rows[i].Number != i + 1) return $"row {i + 1} has number {rows[i].Number}";
            JsonNode? have = rows[i].Fields;
            if (@case["only"] is JsonArray only) have = new JsonObject(only.Select(name =>
                KeyValuePair.Create((string)name!, rows[i].Fields[(string)name!]?.DeepClone())));
            if (Difference(have, wanted[i]) is { } different) return $"row {i + 1}: {different}";
        }
        return null;
    }

    static JsonObject Without(JsonObject row, string name)
    {
        var rest = (JsonObject)row.DeepClone();
        rest.Remove(name);
        return rest;
    }

    static string? Difference(JsonNode? have, JsonNode? wanted)
    {
        if (have is JsonObject a && wanted is JsonObject b)
        {
            if (!a.Select(field => field.Key).SequenceEqual(b.Select(field =>
                field.Key))) return $"fields {string.Join(',', a.Select(field => field.Key))}, wanted {string.Join(',', b.Select(field => field.Key))}";
            return a.Select(field => Difference(field.Value, b[field.Key]) is { } d ? $"{field.Key}: {d}" : null).FirstOrDefault(d =>
                d is not null);
        }
        if (have is JsonArray c && wanted is JsonArray d && c.Count == d.Count)
            return c.Zip(d).Select(pair => Difference(pair.First, pair.Second)).FirstOrDefault(different => different is not null);
        // Parquet.Net does not tell a list that is null from one that is empty.
        if (have is JsonArray { Count: 0 } && wanted is null) return null;
        string x = Text(have), y = Text(wanted);
        return x == y ? null : $"{x}, wanted {y}";
    }

    static string Text(JsonNode? node)
    {
        if (node is null || node.GetValueKind() != JsonValueKind.Number) return node?.ToJsonString() ?? "null";
        string digits = node.ToJsonString();
        return digits.AsSpan().IndexOfAny('.', 'e', 'E') < 0 ? digits
            : "f" + double.Parse(digits, CultureInfo.InvariantCulture).ToString("R", CultureInfo.InvariantCulture);
    }
}
