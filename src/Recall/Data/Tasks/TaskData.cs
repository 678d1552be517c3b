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
        string kind = task.TakeText("dataset_path")
            ?? throw task.Place.Error($"dataset_path is missing: one of {string.Join(", ", Kinds)}");
        if (!Kinds.Contains(kind))
            throw task.At(task.Take("dataset_path")!,
                "dataset_path").Error($"{Quoted.Of(kind)} is not on this disk: Recall reads local files, dataset_path {string.Join(", ", Kinds)} with "
                    + "dataset_kwargs.data_files");
        var section = task.TakeSection("dataset_kwargs")
            ?? throw task.Place.Error("dataset_kwargs.data_files is missing: the files of each split");
        string separator = section.TakeText("sep") ?? section.TakeText("delimiter") ?? "";
        if (separator.Length > 1) throw section.Place.Error($"'sep' must be one character, not {Quoted.Of(separator)}");
        bool header = section.Entries.All(entry => entry.Key != "header" || !Yaml11.IsNull(entry.Value));
        section.Take("header");
        var data = new TaskData(kind, new DataSetOptions(separator.Length == 1 ? separator[0]
            : null, header, section.TakeText("field")), section.Place);
        string root = Path.Combine(folder, section.TakeText("data_dir") ?? "");
        switch (section.Take("data_files"))
        {
            case YamlMapping splits:
                foreach (var split in splits.Entries) data._files[split.Key] = Files(split.Value, root, section.At(split.Value,
                    $"data_files.{split.Key}"));
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
