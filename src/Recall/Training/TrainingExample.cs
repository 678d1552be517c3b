using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Training;

/// <summary>A row of training data: what is given, and what is to be learnt.</summary>
public readonly record struct PromptAnswer(string Prompt, string Answer);

/// <summary>A row as tokens.</summary>
/// <param name="Ids">Prompt and answer.</param>
/// <param name="AnswerStart">Where the answer begins: the loss is that of the tokens from here on; at least 1.</param>
public sealed record TrainingExample(int[] Ids, int AnswerStart)
{
    /// <summary>
    /// Encodes rows. Prompt and answer are encoded together, since that is how the model will read them: the answer begins at the first
    /// token
    /// in which the two differ from the prompt alone. An end token is added. Rows that are too long lose the beginning of their prompt,
    /// or the end of an
    /// answer that alone is too long; a note says how many.
    /// </summary>
    /// <param name="rows">The rows.</param>
    /// <param name="encode">Text to tokens, with those that the tokenizer adds at the beginning.</param>
    /// <param name="endToken">The token that ends an answer, where the model has one.</param>
    /// <param name="maxTokens">Tokens of a row that count.</param>
    /// <param name="notes">Takes the note.</param>
    /// <exception cref="RecallException">No rows, or a row without an answer.</exception>
    public static IReadOnlyList<TrainingExample> Encode(
        IReadOnlyList<PromptAnswer> rows, Func<string, int[]> encode, int? endToken, int maxTokens, ICollection<string> notes)
    {
        if (rows.Count == 0) throw new RecallException("the data holds no rows: there is nothing to learn from");
        var examples = new List<TrainingExample>(rows.Count);
        int cut = 0, cutAnswers = 0;
        for (int row = 0; row < rows.Count; row++)
        {
            var (prompt, answer) = rows[row];
            if (string.IsNullOrWhiteSpace(answer))
                throw new RecallException(
                    $"row {row + 1} of the data has no answer; does the template of 'answer' name a field that the rows have?");
            var given = encode(prompt);
            var all = encode(prompt + answer).ToList();
            if (endToken is { } end && (all.Count == 0 || all[^1] != end)) all.Add(end);
            int start = Math.Max(given.AsSpan().CommonPrefixLength(all.ToArray()), 1);      // the first token has nothing to be learnt from
            if (all.Count > maxTokens)
            {
                cut++;
                int fromPrompt = Math.Min(all.Count - maxTokens, start - 1);
                all.RemoveRange(0, fromPrompt);
                start -= fromPrompt;
                if (all.Count > maxTokens) cutAnswers++;
                if (all.Count > maxTokens) all.RemoveRange(maxTokens, all.Count - maxTokens);
            }
            if (start >= all.Count)
                throw new RecallException($"row {row + 1} of the data: its answer {Quoted.Of(answer)} has no tokens of its own");
            examples.Add(new TrainingExample([.. all], start));
        }
        if (cut > 0)
            notes.Add($"{cut} of {rows.Count} rows have more than {maxTokens} tokens (max_tokens): their prompts were cut at the beginning");
        if (cutAnswers > 0) notes.Add($"{cutAnswers} of them have answers of more than {maxTokens} tokens, which were cut at the end");
        return examples;
    }
}

/// <summary>Examples that go through the model together, and the loss on them.</summary>
static class AnswerLoss
{
    /// <summary>
    /// Mean cross-entropy over all answer tokens of the batch: a scalar with its gradient. The head is computed only where there is
    /// something to predict.
    /// </summary>
    public static Tensor Of(LanguageModel model, IReadOnlyList<TrainingExample> examples, ModelLinearLayer? linear)
    {
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Of([.. examples.Select(example => example.Ids)]);
        long longest = batch.Ids.shape[1];
        var (places, targets) = (new List<long>(), new List<long>());
        for (int row = 0; row < examples.Count; row++)
        {
            for (int i = examples[row].AnswerStart; i < examples[row].Ids.Length; i++)
            {
                places.Add(row * longest + i - 1);
                targets.Add(examples[row].Ids[i]);
            }
        }
        using var context = AttentionContext.Of(model.Options, longest);
        var hidden = model.Forward(batch.Ids, context, linear).view(-1, model.Options.HiddenSize);
        var logits = model.Logits(hidden.index_select(0, tensor(places)));
        return nn.functional.cross_entropy(logits, tensor(targets)).MoveToOuterDisposeScope();
    }
}
