using Recall.Data;
using Recall.Data.Tasks;
using Recall.Templates;

namespace Recall.Training;

/// <summary>From the data files of a training file to prompts and answers.</summary>
public static class TrainingRows
{
    /// <summary>
    /// Reads all rows of <see cref="TrainConfig.Data"/>: of data files, and of the training split of task files (.yaml). Templates of the
    /// config come first;
    /// without them a task's own hold (its description before the prompt), or the fields <c>prompt</c> and <c>answer</c>, with a blank
    /// between
    /// the two unless the prompt ends with white space.
    /// </summary>
    /// <exception cref="RecallException">No data, a file that is not there or broken, a field that is not there, or a row without an
    /// answer.</exception>
    public static IReadOnlyList<PromptAnswer> Read(TrainConfig config)
    {
        if (config.Data.IsEmpty)
            throw new ConfigurationException($"{config.File}: key 'data' is missing: the rows to learn from, such as data: train.jsonl");
        var prompt = config.Prompt is null ? null : JinjaTemplate.Parse(config.Prompt, $"{config.File}: prompt");
        var answer = config.Answer is null ? null : JinjaTemplate.Parse(config.Answer, $"{config.File}: answer");
        var rows = new List<PromptAnswer>();
        foreach (string file in config.Data)
        {
            bool isTask = Path.GetExtension(file).ToLowerInvariant() is ".yaml" or ".yml";
            rows.AddRange(isTask
                ? OfTask(EvaluationTask.Read(file), prompt, answer)
                : DataSet.Read(file).Select(row => OfRow(row, file, prompt, answer)));
        }
        return rows;
    }

    static IEnumerable<PromptAnswer> OfTask(EvaluationTask task, JinjaTemplate? prompt, JinjaTemplate? answer)
    {
        foreach (var row in task.Rows("training"))
        {
            // The task's own templates are not looked at where the config replaces both: they may ask for fields that are not there.
            var example = prompt is not null && answer is not null ? null : task.Example(row);
            string given = prompt is not null ? Render(prompt, row, task.Path) : task.Description(row) + example!.Prompt;
            string? wanted = answer is not null ? Render(answer, row, task.Path) : example!.Answer;
            yield return Checked(given, wanted, row, task.Path);
        }
    }

    static PromptAnswer OfRow(DataRow row, string file, JinjaTemplate? prompt, JinjaTemplate? answer)
    {
        string given = prompt is not null ? Render(prompt, row, file) : Field(row, "prompt", file);
        if (answer is not null) return Checked(given, Render(answer, row, file), row, file);
        string wanted = Field(row, "answer", file);
        bool blank = given.Length > 0 && !char.IsWhiteSpace(given[^1]) && wanted.Length > 0;
        return Checked(given, blank ? " " + wanted : wanted, row, file);
    }

    static PromptAnswer Checked(string prompt, string? answer, DataRow row, string file) => string.IsNullOrWhiteSpace(answer)
        ? throw new RecallException($"{file}: row {row.Number} has no answer{(answer is null ? ": its target is none of the choices" : "")}; "
            + "leave it out, or mend the template of 'answer'")
        : new PromptAnswer(prompt, answer);

    static string Render(JinjaTemplate template, DataRow row, string file)
    {
        try
        {
            return template.Render(row.Fields);
        }
        catch (RecallException e)
        {
            throw new RecallException($"{e.Message} ({file}, row {row.Number})", e);
        }
    }

    static string Field(DataRow row, string name, string file) => row.Fields.TryGetPropertyValue(name, out var value)
        ? value is null ? "" : TaskTemplate.TextOf(value)
        : throw new RecallException($"{file}: row {row.Number} has no field '{name}'{JinjaTemplate.Fields(name, row.Fields)}; "
            + $"say with a template what it is: {name}: \"{{{{{row.Fields.FirstOrDefault().Key ?? "field"}}}}}\"");
}
