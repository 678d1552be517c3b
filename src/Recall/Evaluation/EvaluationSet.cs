using System.Collections.Immutable;
using Recall.Data;
using Recall.Data.Tasks;
using Recall.Templates;

namespace Recall.Evaluation;

/// <summary>What a set of rows asks of a model.</summary>
public enum EvaluationKind
{
    /// <summary>The right answer is scored.</summary>
    Answer,
    /// <summary>All choices are scored, of which the most likely one is the model's.</summary>
    Choices,
    /// <summary>A whole text is scored.</summary>
    Text,
}

/// <summary>A row as a model is asked it.</summary>
/// <param name="Number">Its number in the file, from 1.</param>
/// <param name="Requests">What is given and what may follow: the choices, or the right answer alone.</param>
/// <param name="Gold">Which of the requests are right; −1 for an answer that is none of the choices.</param>
/// <param name="Characters">Unicode code points of each choice, without what stands between it and the prompt.</param>
public sealed record EvaluationRow(
    int Number, ImmutableArray<(string Context, string Continuation)> Requests, ImmutableArray<int> Gold, ImmutableArray<int> Characters);

/// <summary>Rows of one task: a task file of lm-evaluation-harness without examples in the prompt, or a data file with the fields
/// <c>prompt</c> and <c>answer</c>.</summary>
/// <param name="Name">The task's name, or the file's.</param>
/// <param name="File">The file.</param>
/// <param name="Kind">What is asked.</param>
/// <param name="Rows">The rows; at least one.</param>
/// <param name="Notes">What in a task file means nothing here.</param>
public sealed record EvaluationSet(
    string Name, string File, EvaluationKind Kind, ImmutableArray<EvaluationRow> Rows, ImmutableArray<string> Notes)
{
    /// <summary>Reads a file.</summary>
    /// <param name="path">A task file (.yaml), or a data file (see <see cref="DataSet"/>).</param>
    /// <param name="split">The split of a task file: test, validation or training; default test, or validation where there is no
    /// test.</param>
    /// <param name="limit">At most so many rows, from the beginning; below 1 that share of them, rounded up. Default all.</param>
    /// <exception cref="RecallException">Not there, broken, no such split, no rows, a row without an answer, a field that is not there, or a
    /// task that asks for what Recall does not do.</exception>
    public static EvaluationSet Read(string path, string? split = null, double? limit = null)
    {
        if (Path.GetExtension(path).ToLowerInvariant() is ".yaml" or ".yml") return OfTask(EvaluationTask.Read(path), split, limit);
        if (!DataSet.IsDataFile(path))
            throw new RecallException($"{path}: neither a task file (.yaml) nor a data file; Recall reads {DataSet.Endings}");
        var rows = Limited([.. DataSet.Read(path)], limit, path);
        return new EvaluationSet(
            Path.GetFileNameWithoutExtension(path), path, EvaluationKind.Answer, [.. rows.Select(row => OfFields(row, path))], []);
    }

    static EvaluationSet OfTask(EvaluationTask task, string? split, double? limit)
    {
        if (task.FewshotCount > 0)
        {
            throw new ConfigurationException($"{task.Path}: num_fewshot is {task.FewshotCount}; Recall scores prompts without examples: "
                + "with num_fewshot: 0 they can be scored so");
        }
        split ??= task.Split("test") is not null ? "test" : task.Split("validation") is not null ? "validation"
            : throw new ConfigurationException($"{task.Path}: names neither test_split nor validation_split: which rows are to be scored?");
        var kind = task.OutputType switch
        {
            "multiple_choice" => EvaluationKind.Choices,
            "loglikelihood_rolling" => EvaluationKind.Text,
            _ => EvaluationKind.Answer,
        };
        var rows = Limited(task.Rows(split), limit, task.Path);
        return new EvaluationSet(task.Name, task.Path, kind, [.. rows.Select(row => OfExample(task, row, kind))], task.Notes);
    }

    static IReadOnlyList<DataRow> Limited(IReadOnlyList<DataRow> rows, double? limit, string path)
    {
        if (rows.Count == 0) throw new RecallException($"{path}: holds no rows: there is nothing to score");
        if (limit <= 0) throw new RecallException($"limit: is {limit}; a count of rows, or a share of them above 0, is expected");
        double count = limit is { } most ? most < 1 ? Math.Ceiling(rows.Count * most) : Math.Floor(most) : rows.Count;
        return [.. rows.Take((int)Math.Min(count, rows.Count))];
    }

    static EvaluationRow OfExample(EvaluationTask task, DataRow row, EvaluationKind kind)
    {
        var example = task.Example(row);
        bool several = example.Prompts.Count > 1;
        string Prompt(string question) => task.Description(row) + WithPrefix(question, task);
        var requests = several
            ? example.Prompts.Select(prompt => (Prompt(prompt), example.Continuations[0]))
            : (kind == EvaluationKind.Choices ? example.Continuations : example.Continuations.Take(1))
                .Select(continuation => (kind == EvaluationKind.Text ? "" : Prompt(example.Prompts[0]), continuation));
        int delimiter = Characters(task.TargetDelimiter);
        var choices = several ? example.Prompts.Select(Characters)
            : example.Continuations.Select(continuation => Characters(continuation) - delimiter);
        var made = new EvaluationRow(row.Number, [.. requests], [.. example.Gold], kind == EvaluationKind.Choices ? [.. choices] : []);
        // A text without a character has nothing to predict, as a blank line of a file has none: it counts nothing.
        for (int i = 0; i < made.Requests.Length && kind != EvaluationKind.Text; i++)
        {
            if (string.IsNullOrWhiteSpace(made.Requests[i].Continuation) || (made.Characters.Length > i && made.Characters[i] == 0))
                throw NoAnswer(task.Path, row, kind == EvaluationKind.Choices ? $"its choice {i + 1} is empty" : "its answer is empty");
        }
        return made;
    }

    /// <summary>What the answer is made to begin with stands at the end of the prompt.</summary>
    static string WithPrefix(string question, EvaluationTask task)
    {
        if (task.GenerationPrefix is not { Length: > 0 } prefix) return question;
        bool apart = question.Length > 0 && !char.IsWhiteSpace(question[^1]) && !char.IsWhiteSpace(prefix[0]);
        return question + (apart ? task.TargetDelimiter : "") + prefix;
    }

    static EvaluationRow OfFields(DataRow row, string path)
    {
        string prompt = Field(row, "prompt", path), answer = Field(row, "answer", path);
        if (string.IsNullOrWhiteSpace(answer)) throw NoAnswer(path, row, "its answer is empty");
        bool blank = prompt.Length > 0 && !char.IsWhiteSpace(prompt[^1]) && !char.IsWhiteSpace(answer[0]);
        return new EvaluationRow(row.Number, [(prompt, blank ? " " + answer : answer)], [0], []);
    }

    static string Field(DataRow row, string name, string path)
    {
        if (row.Fields.TryGetPropertyValue(name, out var value)) return value is null ? "" : TaskTemplate.TextOf(value);
        throw new RecallException($"{path}: row {row.Number} has no field '{name}'{JinjaTemplate.Fields(name, row.Fields)}; "
            + "rows need 'prompt' and 'answer', or a task file that makes them");
    }

    static RecallException NoAnswer(string path, DataRow row, string why) =>
        new($"{path}: row {row.Number}: {why}: there is nothing to score; leave the row out, or mend it");

    static int Characters(string text) => text.EnumerateRunes().Count();
}
