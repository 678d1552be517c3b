using System.Text.Json.Nodes;
using Recall.Configuration.Yaml;

namespace Recall.Data.Tasks;

/// <summary>Where the rows of a task lie: <c>dataset_path</c> (json, csv, text, parquet) and <c>dataset_kwargs</c>.</summary>
sealed class TaskData
{
    static readonly string[] Kinds = ["json", "csv", "text", "parquet"];

    readonly string _kind;
    readonly DataSetOptions _options;
    readonly Dictionary<string, List<string>> _files = new(StringComparer.Ordinal);
    readonly Place _place;

    TaskData(string kind, DataSetOptions options, Place place) => (_kind, _options, _place) = (kind, options, place);

    public static TaskData Read(YamlSection task, string folder)
    {
        string kind = task.TakeText("dataset_path") ?? throw task.Place.Error($"dataset_path is missing: one of {string.Join(", ", Kinds)}");
        if (!Kinds.Contains(kind))
            throw task.At(task.Take("dataset_path")!, "dataset_path").Error($"{Quoted.Of(kind)} is not on this disk: Recall reads local files, dataset_path {string.Join(", ", Kinds)} with dataset_kwargs.data_files");
        var section = task.TakeSection("dataset_kwargs") ?? throw task.Place.Error("dataset_kwargs.data_files is missing: the files of each split");
        string separator = section.TakeText("sep") ?? section.TakeText("delimiter") ?? "";
        if (separator.Length > 1) throw section.Place.Error($"'sep' must be one character, not {Quoted.Of(separator)}");
        bool header = section.Entries.All(entry => entry.Key != "header" || !Yaml11.IsNull(entry.Value));
        section.Take("header");
        var data = new TaskData(kind, new DataSetOptions(separator.Length == 1 ? separator[0] : null, header, section.TakeText("field")), section.Place);
        string root = Path.Combine(folder, section.TakeText("data_dir") ?? "");
        switch (section.Take("data_files"))
        {
            case YamlMapping splits:
                foreach (var split in splits.Entries) data._files[split.Key] = Files(split.Value, root, section.At(split.Value, $"data_files.{split.Key}"));
                break;
            case { } node: data._files["train"] = Files(node, root, section.At(node, "data_files")); break;
            default: throw section.Place.Error("data_files is missing: split: file");
        }
        return data;
    }

    static List<string> Files(YamlNode node, string root, Place place)
    {
        var names = node switch
        {
            YamlScalar scalar => [scalar],
            YamlSequence list => list.Items.OfType<YamlScalar>().ToList(),
            _ => throw place.Error("a file or a list of files is expected here"),
        };
        return [.. names.SelectMany(name => Expand(Path.Combine(root, name.Text), place))];
    }

    static IEnumerable<string> Expand(string path, Place place)
    {
        string name = Path.GetFileName(path), folder = Path.GetDirectoryName(path) ?? ".";
        if (!name.Contains('*') && !name.Contains('?')) return [path];
        string[] found = Directory.Exists(folder) ? Directory.GetFiles(folder, name) : [];
        return found.Length > 0 ? found.Order(StringComparer.Ordinal) : throw place.Error($"no file matches {Quoted.Of(path)}");
    }

    /// <summary>The splits that have files.</summary>
    public IReadOnlyCollection<string> Splits => _files.Keys;

    /// <summary>The rows of a split with the types that Hugging Face datasets gives their columns.</summary>
    public IReadOnlyList<DataRow> Rows(string split)
    {
        if (!_files.TryGetValue(split, out var files))
            throw _place.Error($"data_files has no split {Quoted.Of(split)}; it has {string.Join(", ", _files.Keys.Select(Quoted.Of))}");
        var rows = files.SelectMany(file => DataSet.ReadAs(_kind, file, _options)).Select((row, i) => row with { Number = i + 1 }).ToList();
        return _kind switch
        {
            "csv" => ColumnTypes.OfCsv(rows),
            "json" => ColumnTypes.OfJson(rows),
            _ => rows,
        };
    }
}

/// <summary>The types that Hugging Face datasets finds for whole columns, and with them what a task's templates print.</summary>
static class ColumnTypes
{
    static readonly HashSet<string> Missing = new(StringComparer.Ordinal)
    {
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
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
                _ when present.TrueForAll(text => long.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out _)) =>
                    text => gaps ? DataSet.Number(double.Parse(text, System.Globalization.CultureInfo.InvariantCulture)) : JsonValue.Create(long.Parse(text, System.Globalization.CultureInfo.InvariantCulture)),
                _ when present.TrueForAll(text => double.TryParse(text, System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out _)) =>
                    text => DataSet.Number(double.Parse(text, System.Globalization.CultureInfo.InvariantCulture)),
                _ when present.TrueForAll(text => text is "True" or "TRUE" or "true" or "False" or "FALSE" or "false") => text => JsonValue.Create(text[0] is 'T' or 't'),
                _ => text => JsonValue.Create(text),
            };
            for (int i = 0; i < rows.Count; i++) rows[i].Fields[name] = Missing.Contains(texts[i]) ? null : convert(texts[i]);
        }
        return rows;
    }

    /// <summary>Every row has every column, and a column with a floating-point number has no integers.</summary>
    public static IReadOnlyList<DataRow> OfJson(IReadOnlyList<DataRow> rows)
    {
        var names = new List<string>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        var floating = new HashSet<string>(StringComparer.Ordinal);
        foreach (var row in rows)
        {
            foreach (var (name, value) in row.Fields)
            {
                if (known.Add(name)) names.Add(name);
                if (IsNumber(value) && value!.ToJsonString().AsSpan().IndexOfAny('.', 'e', 'E') >= 0) floating.Add(name);
            }
        }
        return [.. rows.Select(row => new DataRow(row.Number, new JsonObject(names.Select(name => KeyValuePair.Create(name, Typed(row.Fields[name], floating.Contains(name)))))))];
    }

    static JsonNode? Typed(JsonNode? value, bool floating) => floating && IsNumber(value)
        ? DataSet.Number(double.Parse(value!.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture))
        : value?.DeepClone();

    static bool IsNumber(JsonNode? value) => value is JsonValue && value.GetValueKind() == System.Text.Json.JsonValueKind.Number;
}
