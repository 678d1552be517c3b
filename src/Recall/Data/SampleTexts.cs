using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Data.Tasks;
using Recall.Templates;

namespace Recall.Data;

/// <summary>A text that a model is to read.</summary>
/// <param name="Row">Its row in the file, from 1.</param>
/// <param name="Text">The text; empty where only <paramref name="Ids"/> are given.</param>
/// <param name="Ids">Its token ids, for a row that carries them (field <c>ids</c>).</param>
/// <param name="Answer">What is to follow it: field <c>answer</c>, or a task's target with its delimiter.</param>
public sealed record SampleText(int Row, string Text, IReadOnlyList<int>? Ids = null, string? Answer = null)
{
    /// <summary>The fields of the row.</summary>
    public JsonObject Fields { get; init; } = [];
}

/// <summary>The texts of <c>recall: {samples: FILE, text: TEMPLATE}</c>.</summary>
public static class SampleTexts
{
    /// <summary>
    /// Reads the texts of a data file (see <see cref="DataSet"/>), of the training split of a task file (.yaml), or of what <c>recall
    /// select</c> wrote.
    /// A file without rows gives none: whether that will do is for the caller to say.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="template">A Jinja template over the fields of a row; default the field <c>text</c>, or the task's prompt.</param>
    /// <param name="where">What an error in the template begins with: the key that it stands in.</param>
    /// <param name="most">At most so many rows, from the beginning; default all.</param>
    /// <exception cref="RecallException">Not there, broken, a field that is not there (with those that are), a blank text (with its
    /// row).</exception>
    public static IReadOnlyList<SampleText> Read(string path, string? template = null, string where = "text", int most = int.MaxValue)
    {
        var jinja = template is null ? null : JinjaTemplate.Parse(template, where);
        if (Path.GetExtension(path).ToLowerInvariant() is ".yaml" or ".yml") return OfTask(EvaluationTask.Read(path), jinja, most);
        if (!DataSet.IsDataFile(path)) throw new RecallException($"{path}: no file of texts; Recall reads {DataSet.Endings}, and task files (.yaml)");
        return [.. DataSet.Read(path).Take(most).Select(row => OfRow(row, jinja, path))];
    }

    static List<SampleText> OfTask(EvaluationTask task, JinjaTemplate? jinja, int most)
    {
        var texts = new List<SampleText>();
        foreach (var row in task.Rows("training").Take(most))
        {
            var example = task.Example(row);
            // A rolling task has no prompt: its target is the text.
            bool rolling = task.OutputType == "loglikelihood_rolling";
            string text = jinja?.Render(row.Fields) ?? (rolling ? example.Continuations[0] : example.Prompt);
            texts.Add(new SampleText(row.Number, NotBlank(text, task.Path, row), Answer: rolling ? null
                : example.Answer)
            { Fields = row.Fields });
        }
        return texts;
    }

    static SampleText OfRow(DataRow row, JinjaTemplate? jinja, string path)
    {
        var ids = row.Fields.TryGetPropertyValue("ids", out var list) && list is not null ? Ids(list, path, row) : null;
        string? answer = row.Fields.TryGetPropertyValue("answer", out var value) && value is not null ? TaskTemplate.TextOf(value) : null;
        string text;
        if (jinja is not null) text = RenderRow(jinja, path, row);
        else if (row.Fields.TryGetPropertyValue("text", out var field)) text = field is null ? "" : TaskTemplate.TextOf(field);
        else if (ids is not null) return new SampleText(row.Number, "", ids, answer) { Fields = row.Fields };
        else throw new RecallException($"{path}: row {row.Number} has no field 'text'{JinjaTemplate.Fields("text", row.Fields)}; say with a template "
            + $"what the text is: text: \"{{{{{row.Fields.FirstOrDefault().Key ?? "field"}}}}}\"");
        return new SampleText(row.Number, ids is { Length: > 0 } ? text : NotBlank(text, path, row), ids, answer) { Fields = row.Fields };
    }

    static string RenderRow(JinjaTemplate jinja, string path, DataRow row)
    {
        try
        {
            return jinja.Render(row.Fields);
        }
        catch (RecallException e)
        {
            throw new RecallException($"{e.Message} ({path}, row {row.Number})", e);
        }
    }

    static string NotBlank(string text, string path, DataRow row) => string.IsNullOrWhiteSpace(text)
        ? throw new RecallException($"{path}: the text of row {row.Number} is blank; leave the row out, or mend the template")
        : text;

    static int[] Ids(JsonNode list, string path, DataRow row)
    {
        if (list is JsonArray items && items.All(item => item?.GetValueKind() == JsonValueKind.Number
            && int.TryParse(item.ToJsonString(), out int id) && id >= 0))
            return [.. items.Select(item => int.Parse(item!.ToJsonString()))];
        throw new RecallException($"{path}: the 'ids' of row {row.Number} must be a list of token ids: whole numbers from 0 on");
    }
}
