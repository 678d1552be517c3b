using Recall.Alignment;
using Recall.Data.Tasks;
using Recall.Tokenization;

namespace FiveAdapters;

/// <summary>The tasks of the reference folder: texts to align by, and rows to score.</summary>
sealed class TaskTexts(string shared, Tokenizer tokenizer)
{
    const int PromptTokens = 240;

    /// <summary>The tasks and how many test rows are scored.</summary>
    public static readonly (string Name, int Rows, bool IsChoice)[] Tasks =
        [("sst2", 120, true), ("squad2", 40, false), ("translate_en_fr", 50, false), ("race", 24, true), ("medmcqa", 100, true)];

    /// <summary>The first rows of the training file: the prompt's last 240 tokens, then the answer.</summary>
    public IReadOnlyList<AlignmentText> Training(string task, int count) => Texts(task, "training", count, PromptTokens);

    /// <summary>The first rows of the test file, whole.</summary>
    public IReadOnlyList<AlignmentText> Test(string task, int count) => Texts(task, "test", count, int.MaxValue);

    IReadOnlyList<AlignmentText> Texts(string task, string role, int count, int promptTokens)
    {
        var definition = EvaluationTask.Read(Path.Combine(shared, "tasks", task + ".yaml"));
        return [.. definition.Rows(role).Take(count).Select(row =>
        {
            var example = definition.Example(row);
            int[] prompt = tokenizer.Encode(example.Prompt), answer = tokenizer.Encode(example.Answer!);
            if (prompt.Length > promptTokens) prompt = prompt[^promptTokens..];
            return new AlignmentText([.. prompt, .. answer], prompt.Length) { Task = task };
        })];
    }

    /// <summary>The first tokens of a plain text, in windows.</summary>
    public IReadOnlyList<AlignmentText> Plain(int tokens = 1536, int window = 512)
    {
        int[] ids = tokenizer.Encode(File.ReadAllText(Path.Combine(shared, "data", "wikitext2.valid.txt"))[..20_000])[..tokens];
        return [.. ids.Chunk(window).Select(part => new AlignmentText(part, 1))];
    }
}
