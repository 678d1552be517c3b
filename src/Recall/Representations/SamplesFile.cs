using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;

namespace Recall.Representations;

/// <summary>
/// Typical samples as JSONL: the fields of the row, or <c>text</c> where it has none, and <c>row</c> and <c>cluster_size</c> (in place
/// of fields of
/// that name). The file can be read, edited, and given as <c>samples</c> again.
/// </summary>
public static class SamplesFile
{
    const string RowKey = "row", SizeKey = "cluster_size";

    static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the samples, one a line; an older file of that name is replaced once the new one is whole.</summary>
    /// <exception cref="RecallException">The disk says no.</exception>
    public static void Write(string path, IEnumerable<Sample> samples) =>
        WholeFile.Write(path, string.Concat(samples.Select(sample => Line(sample).ToJsonString(Json) + "\n")));

    static JsonObject Line(Sample sample)
    {
        var line = sample.Fields is null ? new JsonObject { ["text"] = sample.Text } : (JsonObject)sample.Fields.DeepClone();
        line[RowKey] = sample.Row;
        line[SizeKey] = sample.ClusterSize;
        return line;
    }

    /// <summary>
    /// Whether these rows are a choice already made, whose rows are all taken: one of them at least has <c>row</c> and
    /// <c>cluster_size</c>. Rows that a
    /// user added by hand may lack them.
    /// </summary>
    public static bool IsSelection(IEnumerable<JsonObject> rows) => rows.Any(row => Count(row, RowKey) is >= 0 && Count(row, SizeKey) is >= 1);

    /// <summary>The cluster size that a row of a selection states; 1 where there is none.</summary>
    public static int ClusterSize(JsonObject row) => Count(row, SizeKey) is { } size and >= 1 ? size : 1;

    /// <summary>The row of the data file that a row of a selection states; null where there is none.</summary>
    public static int? Row(JsonObject row) => Count(row, RowKey) is { } number and >= 0 ? number : null;

    static int? Count(JsonObject row, string key) => row[key] is JsonValue value && value.TryGetValue(out int count) ? count : null;
}
