using System.Globalization;
using System.IO.Compression;
using System.Text.Json.Nodes;
using Recall.Checkpoints;

namespace Recall.Data;

/// <summary>
/// Rows of texts: <c>.jsonl</c> (<c>.ndjson</c>), <c>.json</c>, <c>.csv</c>, <c>.tsv</c>, <c>.txt</c> and <c>.parquet</c>, all but the last
/// also with <c>.gz</c>.
/// Read from beginning to end; only <c>.json</c> is held in memory as a whole.
/// </summary>
public static class DataSet
{
    /// <summary>The endings that are known.</summary>
    public const string Endings = ".jsonl, .json, .csv, .tsv, .txt, .parquet (and .gz after each but the last)";

    /// <summary>The rows, read while they are asked for.</summary>
    /// <exception cref="RecallException">Not there, of no known kind, or broken: with file, line and what is wrong.</exception>
    public static IEnumerable<DataRow> Read(string path, DataSetOptions? options = null)
    {
        string ending = Ending(path);
        return ReadAs(ending, path, options ?? new DataSetOptions());
    }

    /// <summary>The rows of a file of a kind: its ending, or json, csv, text or parquet as lm-eval names them. A text then keeps its blank
    /// lines.</summary>
    internal static IEnumerable<DataRow> ReadAs(string kind, string path, DataSetOptions options)
    {
        return kind switch
        {
            "json" => FromLines(path, lines => Ending(path) == ".jsonl" ? JsonRows.Lines(lines, path)
                : JsonRows.Document(lines, path, options.Field)),
            "csv" => FromLines(path, lines => CsvRows.Read(lines, path, options.Separator ?? ',', options.Header)),
            "text" => FromLines(path, lines => TextRows(lines, keepBlank: true)),
            "parquet" => ParquetRows.Read(path),
            ".jsonl" or ".ndjson" => FromLines(path, lines => JsonRows.Lines(lines, path)),
            ".json" => FromLines(path, lines => JsonRows.Document(lines, path, options.Field)),
            ".csv" => FromLines(path, lines => CsvRows.Read(lines, path, options.Separator ?? ',', options.Header)),
            ".tsv" => FromLines(path, lines => CsvRows.Read(lines, path, options.Separator ?? '\t', options.Header)),
            ".txt" => FromLines(path, lines => TextRows(lines, keepBlank: false)),
            ".parquet" => ParquetRows.Read(path),
            ".zst" => throw new RecallException($"{path}: zstd is not read here; unpack it with: zstd -d {Path.GetFileName(path)}"),
            _ => throw new RecallException($"{path}: no known data file; Recall reads {Endings}"),
        };
    }

    /// <summary>Whether a path has the ending of a data file.</summary>
    public static bool IsDataFile(string path) =>
        Ending(path) is ".jsonl" or ".ndjson" or ".json" or ".csv" or ".tsv" or ".txt" or ".parquet" or ".zst";

    static string Ending(string path)
    {
        string ending = Path.GetExtension(path).ToLowerInvariant();
        return ending == ".gz" ? Path.GetExtension(Path.GetFileNameWithoutExtension(path)).ToLowerInvariant() : ending;
    }

    static IEnumerable<DataRow> FromLines(string path, Func<IEnumerable<TextLine>, IEnumerable<DataRow>> rows)
    {
        using (DataFile.Open(path)) { }
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16);
        using Stream stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? new GZipStream(file, CompressionMode.Decompress) : file;
        foreach (var row in rows(TextLine.Read(stream, path))) yield return row;
    }

    /// <summary>One row a line, in the field <c>text</c>; lines of blanks are left out.</summary>
    static IEnumerable<DataRow> TextRows(IEnumerable<TextLine> lines, bool keepBlank)
    {
        int number = 0;
        foreach (var line in lines)
        {
            string text = line.Text.EndsWith('\r') ? line.Text[..^1] : line.Text;
            if (keepBlank || text.AsSpan().Trim(" \t").Length > 0) yield return new DataRow(++number, new JsonObject { ["text"] = text });
        }
    }

    /// <summary>A floating-point number as JSON holds it; what JSON has no number for is a text.</summary>
    internal static JsonNode Number(double value) => double.IsNaN(value) ? JsonValue.Create("NaN")
        : double.IsInfinity(value) ? JsonValue.Create(value > 0 ? "Infinity" : "-Infinity")
        : JsonNode.Parse(value == Math.Floor(value) && Math.Abs(value) < 1e16 ? value.ToString("0.0", CultureInfo.InvariantCulture)
            : value.ToString("R", CultureInfo.InvariantCulture))!;
}
