using System.Collections.Immutable;
using Recall.Checkpoints;

namespace Recall.Evaluation;

/// <summary>A model and what it is asked, as its own tokens: made before any weight is read, so that all errors of the input come first.</summary>
public sealed class ModelEvaluation
{
    readonly Checkpoint _checkpoint;
    readonly LogLikelihoodOptions _options;
    readonly ImmutableArray<EvaluationSet> _sets;
    readonly ImmutableArray<ImmutableArray<int>> _counts;       // requests of each row of each set
    readonly PlainText? _text;
    readonly ImmutableArray<TokenRequest> _requests;            // of all rows, then of the text

    ModelEvaluation(
        string name, Checkpoint checkpoint, LogLikelihoodOptions options, IReadOnlyList<EvaluationSet> sets, PlainText? text)
    {
        (Name, _checkpoint, _options, _text) = (name, checkpoint, options, text);
        _sets = [.. sets];
        var encoder = RequestEncoder.For(checkpoint);
        int longest = options.MaxLength ?? LogLikelihood.MaxLength(checkpoint);
        var requests = ImmutableArray.CreateBuilder<TokenRequest>();
        _counts =
        [
            .. sets.Select(set => set.Rows.Select(row =>
            {
                int before = requests.Count;
                requests.AddRange(Encode(set, row, encoder, longest));
                return requests.Count - before;
            }).ToImmutableArray()),
        ];
        if (text is not null) requests.AddRange(text.Requests(encoder));
        _requests = requests.ToImmutable();
    }

    /// <summary>The model's name.</summary>
    public string Name { get; }

    /// <summary>What the model is asked, as tokens: the rows of the sets one after the other, then the windows of the text.</summary>
    public IReadOnlyList<TokenRequest> Requests => _requests;

    /// <summary>Encodes what a model is asked.</summary>
    /// <param name="name">The model's name, for messages.</param>
    /// <param name="checkpoint">The model.</param>
    /// <param name="options">Lengths, types, memory.</param>
    /// <param name="sets">The tasks.</param>
    /// <param name="text">A plain text; null: none.</param>
    /// <exception cref="RecallException">No tokenizer, an answer without tokens (with its row), nothing to score at all.</exception>
    public static ModelEvaluation Prepare(
        string name, Checkpoint checkpoint, LogLikelihoodOptions options, IReadOnlyList<EvaluationSet> sets, PlainText? text = null)
    {
        var made = new ModelEvaluation(name, checkpoint, options, sets, text);
        return made._requests.IsEmpty ? throw new RecallException("there is nothing to score: no task has a text, and no plain text is given") : made;
    }

    static IReadOnlyList<TokenRequest> Encode(EvaluationSet set, EvaluationRow row, RequestEncoder encoder, int longest)
    {
        try
        {
            var requests = set.Kind == EvaluationKind.Text
                ? encoder.Rolling(row.Requests[0].Continuation, longest)
                : [.. row.Requests.Select(request => encoder.Encode(request.Context, request.Continuation))];
            if (requests.FirstOrDefault(request => request.Continuation.Length > longest) is not { } large) return requests;
            throw new RecallException($"an answer has {large.Continuation.Length} tokens, and the model reads at most {longest} at a time");
        }
        catch (RecallException e)
        {
            throw new RecallException($"{set.File}: row {row.Number}: {e.Message}", e);
        }
    }

    /// <summary>Reads the model and scores all.</summary>
    /// <param name="progress">Told of every layer.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="RecallException">No forward pass for the family, ids outside the vocabulary, or scores that are not
    /// finite.</exception>
    public ModelScores Run(IProgress<LogLikelihoodProgress>? progress = null, CancellationToken cancellation = default)
    {
        var scores = LogLikelihood.Run(Name, _checkpoint, _requests, _options, progress, cancellation);
        int at = 0;
        ImmutableArray<ContinuationScore> Next(int count)
        {
            var part = scores.Slice(at, count);
            at += count;
            return part;
        }
        var tasks = _sets.Select((set, i) => new TaskScores(set, [.. _counts[i].Select(Next)])).ToImmutableArray();
        return new ModelScores(Name, tasks, _text is null ? null : OfText(_text, Next(scores.Length - at)));
    }

    static TextScores OfText(PlainText text, ImmutableArray<ContinuationScore> windows)
    {
        int tokens = windows.Sum(window => window.LogProbabilities.Length);
        return new TextScores(text.File, tokens, -windows.Sum(window => window.Sum) / tokens);
    }
}
