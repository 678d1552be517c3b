using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Configuration.Yaml;

namespace Recall.Data.Tasks;

/// <summary>
/// A task file of lm-evaluation-harness: a data set, its prompt and its answer in one place. It serves as a source of texts, of prompts
/// with answers to
/// train on, and of requests to evaluate. Files are looked for from the task file's folder.
/// </summary>
public sealed class EvaluationTask
{
    static readonly string[] OutputTypes = ["multiple_choice", "generate_until", "loglikelihood", "loglikelihood_rolling"];

    // Read by the evaluation, which takes them from Section.
    static readonly string[] EvaluationKeys =
    [
        "task_alias", "tag", "metric_list", "filter_list", "generation_kwargs", "repeats", "fewshot_config", "should_decontaminate",
        "doc_to_decontamination_query", "metadata", "dataset_name", "use_prompt", "fewshot_split",
    ];

    readonly TaskData _data;
    readonly TaskTemplate _text, _target;
    readonly TaskTemplate? _choice, _description;
    readonly Dictionary<string, string> _splits = new(StringComparer.Ordinal);

    EvaluationTask(string path, YamlSection section, string folder)
    {
        (Path, Section) = (path, section);
        Name = section.TakeText("task") ?? System.IO.Path.GetFileNameWithoutExtension(path);
        OutputType = section.TakeWord("output_type", OutputTypes) ?? "generate_until";
        foreach (string unsafeKey in (ReadOnlySpan<string>)["process_docs", "process_results", "class", "custom_dataset", "unsafe_code",
            "doc_to_image", "doc_to_audio"])
            if (section.Take(unsafeKey) is { } node) throw section.At(node,
                unsafeKey).Error("runs Python code or needs images or sound, which Recall does not; write its result into the data file");
        _data = TaskData.Read(section, folder);
        foreach (string split in (ReadOnlySpan<string>)["training", "validation", "test", "fewshot"])
            if (section.TakeText($"{split}_split") is { } name) _splits[split] = name;
        _text = TaskTemplate.Read(section, "doc_to_text") ?? throw section.Place.Error("doc_to_text is missing: a template of the prompt");
        _target = TaskTemplate.Read(section, "doc_to_target")
            ?? throw section.Place.Error("doc_to_target is missing: a template of the answer");
        _choice = TaskTemplate.Read(section, "doc_to_choice");
        if (_choice is null && OutputType == "multiple_choice") throw section.Place.Error("doc_to_choice is missing: a multiple_choice task has choices");
        _description = TaskTemplate.Read(section, "description");
        TargetDelimiter = section.TakeText("target_delimiter") ?? " ";
        FewshotDelimiter = section.TakeText("fewshot_delimiter") ?? "\n\n";
        GenerationPrefix = section.TakeText("gen_prefix");
        FewshotCount = section.TakeInteger("num_fewshot", 0, 1000);
        foreach (string key in EvaluationKeys) section.Take(key);
        var notes = new List<string>();
        section.Finish(notes);
        Notes = [.. notes];
    }

    /// <summary>The task file.</summary>
    public string Path { get; }

    /// <summary>Key <c>task</c>; default the file's name.</summary>
    public string Name { get; }

    /// <summary>multiple_choice, generate_until (default), loglikelihood or loglikelihood_rolling.</summary>
    public string OutputType { get; }

    /// <summary>Between prompt and answer; default a blank.</summary>
    public string TargetDelimiter { get; }

    /// <summary>Between examples of a prompt; default an empty line.</summary>
    public string FewshotDelimiter { get; }

    /// <summary>What the answer is made to begin with, or null.</summary>
    public string? GenerationPrefix { get; }

    /// <summary>Key <c>num_fewshot</c>, or null.</summary>
    public int? FewshotCount { get; }

    /// <summary>Keys that mean nothing to lm-eval or Recall.</summary>
    public ImmutableArray<string> Notes { get; }

    /// <summary>The whole file, includes put in: metrics and filters are read from here.</summary>
    public YamlSection Section { get; }

    /// <summary>The name of a split (<c>training</c>, <c>validation</c>, <c>test</c>, <c>fewshot</c>), or null where the file names
    /// none.</summary>
    public string? Split(string role) => _splits.GetValueOrDefault(role);

    /// <summary>Reads a task file with what it includes.</summary>
    /// <exception cref="ConfigurationException">Not a task file, with place and reason.</exception>
    public static EvaluationTask Read(string path)
    {
        var mapping = ReadMapping(path, []);
        return new EvaluationTask(path, new YamlSection(mapping, path), System.IO.Path.GetDirectoryName(path) ?? "");
    }

    static YamlMapping ReadMapping(string path, ImmutableArray<string> including)
    {
        string full = System.IO.Path.GetFullPath(path);
        if (including.Contains(full)) throw new ConfigurationException($"{path}: includes itself, by way of {string.Join(" → ", including)}");
        var own = YamlDocument.ParseMapping(YamlDocument.ReadText(path), path);
        var section = new YamlSection(own, path);
        var merged = own.Entries.Where(entry => entry.Key != "include").ToList();
        var includes = section.Take("include") is YamlSequence list ? list.Items.OfType<YamlScalar>().Select(item => item.Text)
            : section.TakeText("include") is { } one ? [one] : [];
        foreach (string include in includes.Reverse())
        {
            var other = ReadMapping(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path) ?? "", include), including.Add(full));
            merged.AddRange(other.Entries.Where(entry => merged.TrueForAll(known => known.Key != entry.Key)));
        }
        return own with { Entries = [.. merged] };
    }

    /// <summary>The rows of a split by its role: <c>training</c>, <c>validation</c>, <c>test</c>.</summary>
    /// <exception cref="RecallException">The file names no such split, or its data is not there or broken.</exception>
    public IReadOnlyList<DataRow> Rows(string role) => _data.Rows(Split(role)
        ?? throw new ConfigurationException($"{Path}: names no {role}_split; its data_files have {string.Join(", ", _data.Splits.Select(Quoted.Of))}"));

    /// <summary>The description for a row: what stands before the prompt; empty where there is none.</summary>
    public string Description(DataRow row) => _description?.Text(row.Fields) ?? "";

    /// <summary>The prompt and the continuations of a row.</summary>
    /// <exception cref="RecallException">A field that is not there, choices that are no list.</exception>
    public TaskExample Example(DataRow row)
    {
        IReadOnlyList<string> choices = _choice is null ? [] : _choice.List(row);
        var text = Indexed(_text.Value(row.Fields), choices);
        var target = Indexed(_target.Value(row.Fields), choices);
        if (OutputType == "loglikelihood_rolling") return new TaskExample(row.Number, [""], [TaskTemplate.TextOf(target)], [0]);
        if (OutputType == "multiple_choice"
            && Integer(text) is { } gold) return new TaskExample(row.Number, choices, [TargetDelimiter + TaskTemplate.TextOf(target)],
            [gold]);
        string prompt = TaskTemplate.TextOf(text);
        var targets = Targets(target);
        if (OutputType == "multiple_choice")
            return new TaskExample(row.Number, [prompt], [.. choices.Select(choice =>
                TargetDelimiter + choice)], [.. targets.Select(answer => Index(answer, choices))]);
        string delimiter = OutputType == "loglikelihood" ? "" : TargetDelimiter;
        IEnumerable<string> answers = targets.Select(answer => Integer(answer) is { } index && choices.Count > 0
            && Index(answer, choices) >= 0 ? choices[index] : TaskTemplate.TextOf(answer));
        return new TaskExample(row.Number, [prompt], [.. answers.Select(answer => delimiter + answer)], [0]);
    }

    /// <summary>Text of nothing but digits is an index where there are choices.</summary>
    static JsonNode? Indexed(JsonNode? value, IReadOnlyList<string> choices) =>
        choices.Count > 0 && value is JsonValue single && single.TryGetValue(out string? text) && text.Length > 0
            && text.All(char.IsAsciiDigit)
        && int.TryParse(text, CultureInfo.InvariantCulture, out int index) ? JsonValue.Create(index) : value;

    static IReadOnlyList<JsonNode?> Targets(JsonNode? target)
    {
        if (target is JsonValue single && single.TryGetValue(out string? text) && text.StartsWith('[') && text.EndsWith(']')
            && PythonLiteral.TryParse(text, out var list)) target = list;
        return target is JsonArray { Count: > 0 } several ? [.. several] : [target];
    }

    static int? Integer(JsonNode? value) => value is JsonValue && value.GetValueKind() == JsonValueKind.Number
        && int.TryParse(value.ToJsonString(), CultureInfo.InvariantCulture, out int number) ? number : null;

    static int Index(JsonNode? answer, IReadOnlyList<string> choices)
    {
        if (Integer(answer) is not { } index) return choices.ToList().IndexOf(TaskTemplate.TextOf(answer));
        return index >= 0 && index < choices.Count ? index : -1;
    }
}

/// <summary>What a task makes of a row.</summary>
/// <param name="Row">The row's number, from 1.</param>
/// <param name="Prompts">The prompt; one for each choice where the choices differ in the prompt.</param>
/// <param name="Continuations">What may follow, the delimiter before the answer with it: the choices of multiple_choice, or the right
/// answers.</param>
/// <param name="Gold">Which of the prompts or continuations are right; −1 for an answer that is none of the choices.</param>
public sealed record TaskExample(int Row, IReadOnlyList<string> Prompts, IReadOnlyList<string> Continuations, IReadOnlyList<int> Gold)
{
    /// <summary>The prompt of the right answer.</summary>
    public string Prompt => Prompts.Count > 1 && Gold[0] >= 0 && Gold[0] < Prompts.Count ? Prompts[Gold[0]] : Prompts[0];

    /// <summary>The first right answer with its delimiter, or null where no choice is right.</summary>
    public string? Answer => Prompts.Count > 1 ? Continuations[0] : Gold[0] >= 0 ? Continuations[Gold[0]] : null;
}
