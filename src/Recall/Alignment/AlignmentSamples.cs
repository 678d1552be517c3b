using System.Text.Json.Nodes;
using Recall.Data;
using Recall.Representations;
using Recall.Tokenization;

namespace Recall.Alignment;

/// <summary>
/// The texts of an expert, from a data file or a task file: rows with <c>ids</c> and <c>answer</c> (index of the answer's first token),
/// already tokenised, or rows with a text and an answer. Those that a merge keeps have <c>ids</c>, <c>answer</c> and <c>expert</c>.
/// </summary>
public static class AlignmentSamples
{
    /// <summary>The name of kept texts in a model's folder.</summary>
    public const string Name = "samples.jsonl";

    /// <summary>
    /// Reads the first <paramref name="count"/> rows of a file, or those that are drawn; all of them where it is a choice made by <c>recall select</c>, or the kept
    /// texts of a merge. A prompt that is too long loses its beginning.
    /// </summary>
    /// <param name="name">The expert's name, for messages.</param>
    /// <param name="path">The file.</param>
    /// <param name="template">A Jinja template that makes the prompt; default the field <c>text</c> or <c>prompt</c>, or the task's
    /// prompt.</param>
    /// <param name="tokenizer">Asked for where rows are not tokenised.</param>
    /// <param name="count">Rows that count.</param>
    /// <param name="maxTokens">Tokens of a text that count.</param>
    /// <param name="draw">Draws rows out of so many, by their numbers from 0; null: the first ones.</param>
    /// <exception cref="RecallException">Not there, broken, empty, or an answer without tokens.</exception>
    public static IReadOnlyList<AlignmentText> Read(
        string name, string path, string? template, Func<Tokenizer> tokenizer, int count, int maxTokens,
        Func<int, IReadOnlyList<int>>? draw = null)
    {
        var rows = SampleTexts.Read(path, template ?? DefaultTemplate(path), "text");
        if (rows.Count == 0) throw new RecallException($"{path}: holds no texts for {name}");
        bool all = SamplesFile.IsSelection(rows.Select(row => row.Fields)) || rows.Any(row => row.Fields.ContainsKey("expert"));
        var taken = all || draw is null ? rows.Take(all ? rows.Count : count) : draw(rows.Count).Select(row => rows[row]);
        return [.. taken.Select(row => Read(row, path, tokenizer, maxTokens))];
    }

    /// <summary>The lines of a samples.jsonl that keeps these texts, tokens only.</summary>
    public static string Lines(IEnumerable<AlignmentText> texts) => string.Concat(texts.Select(text => new JsonObject
    {
        ["expert"] = text.Task,
        ["ids"] = new JsonArray([.. text.Ids.Select(id => (JsonNode)id)]),
        ["answer"] = text.Answer,
    }.ToJsonString() + "\n"));

    static string? DefaultTemplate(string path)
    {
        if (!DataSet.IsDataFile(path)) return null;
        var first = DataSet.Read(path).FirstOrDefault()?.Fields;
        return first is not null && !first.ContainsKey("text") && !first.ContainsKey("ids") && first.ContainsKey("prompt") ? "{{prompt}}"
            : null;
    }

    static AlignmentText Read(SampleText row, string path, Func<Tokenizer> tokenizer, int maxTokens)
    {
        string task = row.Fields["expert"] is JsonValue expert && expert.TryGetValue(out string? given) ? given : "";
        if (row.Ids is { } ids)
        {
            if (ids.Count == 0) throw new RecallException($"{path}: the 'ids' of row {row.Row} are empty: there is no text");
            return Cut([.. ids], AnswerIndex(row, path, ids.Count), maxTokens) with { Task = task };
        }
        int[] prompt = tokenizer().Encode(row.Text);
        if (string.IsNullOrEmpty(row.Answer)) return Cut(prompt, prompt.Length, maxTokens) with { Task = task };
        // A field holds the bare answer; a task's has its delimiter already.
        string answer = char.IsWhiteSpace(row.Answer[0]) || char.IsWhiteSpace(row.Text[^1]) ? row.Answer : " " + row.Answer;
        int[] following = tokenizer().Encode(answer, addSpecialTokens: false);
        if (following.Length == 0) throw new RecallException($"{path}: the answer of row {row.Row}, {Quoted.Of(row.Answer)}, has no "
            + $"tokens");
        if (prompt.Length == 0) throw new RecallException($"{path}: the text of row {row.Row} has no tokens before its answer");
        return Cut([.. prompt, .. following], prompt.Length, maxTokens) with { Task = task };
    }

    static int AnswerIndex(SampleText row, string path, int tokens)
    {
        if (row.Fields["answer"] is not { } node) return tokens;
        if (int.TryParse(node.ToJsonString(), out int answer) && answer >= 1 && answer <= tokens) return answer;
        throw new RecallException($"{path}: 'answer' of row {row.Row} must be the index of the answer's first token, 1 to {tokens - 1} "
            + $"({tokens}: no answer), as the row has 'ids'; it is {node.ToJsonString()}");
    }

    /// <summary>
    /// The text without the beginning of its prompt, as far as it is too long; an answer that alone is too long loses its end.
    /// </summary>
    static AlignmentText Cut(int[] ids, int answer, int maxTokens)
    {
        int cut = Math.Clamp(ids.Length - maxTokens, 0, Math.Max(answer - 1, 0));
        int[] kept = ids[cut..Math.Min(ids.Length, cut + maxTokens)];
        return new AlignmentText(kept, Math.Min(answer - cut, kept.Length));
    }
}
