using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Data;
using Recall.Data.Tasks;
using Recall.Representations;
using Recall.Tokenization;

namespace FiveAdapters;

/// <summary>Texts of a set's experts: to align by, and to score.</summary>
sealed class TaskTexts(Tokenizer tokenizer)
{
    const int PromptTokens = 240;

    /// <summary>The first rows to train on: the prompt's last 240 tokens, then the answer.</summary>
    public IReadOnlyList<AlignmentText> Training(SetEntry entry, int count) =>
        [.. Rows(entry.Train, "training").Take(count).Select(row => Text(entry, row, PromptTokens))];

    /// <summary>The first rows to test with, whole.</summary>
    public IReadOnlyList<AlignmentText> Test(SetEntry entry, int count) =>
        [.. Rows(entry.Test, "test").Take(count).Select(row => Text(entry, row, int.MaxValue))];

    /// <summary>Of the first rows to train on, those nearest to the centres of K-means over the base's last hidden states.</summary>
    public IReadOnlyList<AlignmentText> Typical(SetEntry entry, int count, int candidates, Checkpoint baseModel)
    {
        var texts = Training(entry, candidates);
        PooledStates? states = null;
        Represent.Run("base", baseModel, [.. texts.Select(text => text.Ids)], new RepresentOptions(), layer => states = layer.Pooled);
        var chosen = TypicalSamples.Choose(states!, [.. texts.Select(text => tokenizer.Decode(text.Ids))], count, seed: 0);
        return [.. chosen.Select(sample => texts[sample.Row])];
    }

    /// <summary>The first tokens of a plain text, in windows.</summary>
    public IReadOnlyList<AlignmentText> Plain(int tokens = 1536, int window = 512)
    {
        int[] ids = tokenizer.Encode(File.ReadAllText(Path.Combine(ExpertSet.Shared, "data", "wikitext2.valid.txt"))[..20_000])[..tokens];
        return [.. ids.Chunk(window).Select(part => new AlignmentText(part, 1))];
    }

    static IEnumerable<(string Prompt, string Answer)> Rows(string path, string role)
    {
        if (DataSet.IsDataFile(path)) return DataSet.Read(path).Select(row => ((string)row.Fields["prompt"]!, (string)row.Fields["answer"]!));
        var task = EvaluationTask.Read(path);
        return task.Rows(role).Select(task.Example).Select(example => (example.Prompt, example.Answer!));
    }

    AlignmentText Text(SetEntry entry, (string Prompt, string Answer) row, int promptTokens)
    {
        int[] prompt = tokenizer.Encode(row.Prompt), answer = tokenizer.Encode(row.Answer);
        if (prompt.Length > promptTokens) prompt = prompt[^promptTokens..];
        return new AlignmentText([.. prompt, .. answer], prompt.Length) { Task = entry.Name };
    }
}
