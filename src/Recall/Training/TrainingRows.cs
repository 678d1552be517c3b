using System.Text.Json.Nodes;
using Recall.Data;
using Recall.Data.Tasks;
using Recall.Templates;

namespace Recall.Training;

/// <summary>The rows that a <see cref="TrainConfig"/> names, as prompts and answers.</summary>
public static class TrainingRows
{
    /// <summary>Reads all files of the config, one after the other: data files, and the training split of task files.</summary>
    /// <exception cref="RecallException">None named, not there, broken, a field that is not there, a row without an answer.</exception>
    public static IReadOnlyList<PromptAnswer> Read(TrainConfig config)
    {
        if (config.Data.IsEmpty) throw new ConfigurationException($"{config.File}: key 'data' is missing: the rows to learn from");
        JinjaTemplate? prompt = Template(config, "prompt", config.Prompt), answer = Template(config, "answer", config.Answer);
        var rows = new List<PromptAnswer>();
        foreach (string path in config.Data)
        {
            int before = rows.Count;
            rows.AddRange(Path.GetExtension(path).ToLowerInvariant() is ".yaml" or ".yml"
                ? OfTask(EvaluationTask.Read(path), prompt, answer)
                : DataSet.Read(path).Select(row => new PromptAnswer(Text(path, row, prompt, "prompt"), Text(path, row, answer, "answer"))));
            if (rows.Count == before) throw new RecallException($"{path}: holds no rows");
        }
        return rows;
    }

    static JinjaTemplate? Template(TrainConfig config, string key, string? source) =>
        source is null ? null : JinjaTemplate.Parse(source, $"{config.File}: {key}", JinjaOptions.Task);

    static IEnumerable<PromptAnswer> OfTask(EvaluationTask task, JinjaTemplate? prompt, JinjaTemplate? answer)
    {
        foreach (var row in task.Rows("training"))
        {
            var example = task.Example(row);
            string? right = answer is null ? example.Answer : Render(task.Path, row, answer);
            yield return new PromptAnswer(
                prompt is null ? example.Prompt : Render(task.Path, row, prompt),
                right ?? throw new RecallException($"{task.Path}: row {row.Number} has no right answer to learn"));
        }
    }

    static string Text(string path, DataRow row, JinjaTemplate? template, string field)
    {
        if (template is not null) return Render(path, row, template);
        if (row.Fields.TryGetPropertyValue(field, out var value) && value is not null) return TextOf(value);
        throw new RecallException($"{path}: row {row.Number} has no field '{field}'{JinjaTemplate.Fields(field, row.Fields)}; say with '{field}' what it is, "
            + $"such as {field}: \"{{{{{row.Fields.FirstOrDefault().Key ?? "field"}}}}}\"");
    }

    static string TextOf(JsonNode value) => value is JsonValue text && text.TryGetValue(out string? content) ? content : value.ToJsonString();

    static string Render(string path, DataRow row, JinjaTemplate template)
    {
        try
        {
            return template.Render(row.Fields);
        }
        catch (RecallException e)
        {
            throw new RecallException($"{e.Message} ({path}, row {row.Number})", e);
        }
    }
}
