using System.Collections.Immutable;

namespace Recall.Evaluation;

/// <summary>A mean over rows.</summary>
/// <param name="Value">The mean.</param>
/// <param name="StandardError">s / √n with s² = Σ (x − mean)² / (n − 1); null for one row.</param>
public readonly record struct MeanScore(double Value, double? StandardError)
{
    /// <summary>The share of rows that are right.</summary>
    public static MeanScore Of(IReadOnlyCollection<bool> right)
    {
        double n = right.Count, mean = right.Count(row => row) / n;
        return new MeanScore(mean, n > 1 ? Math.Sqrt(mean * (1 - mean) / (n - 1)) : null);
    }
}

/// <summary>How a model does on a task.</summary>
/// <param name="Task">The rows.</param>
/// <param name="Rows">For each row the score of each of its requests; of a whole text those of its windows.</param>
public sealed record TaskScores(EvaluationSet Task, ImmutableArray<ImmutableArray<ContinuationScore>> Rows)
{
    /// <summary>Tokens of the right answers.</summary>
    public int Tokens => Right.Sum(answer => answer.Count);

    /// <summary>
    /// Cross-entropy of the right answer a token, in nats: over all answer tokens; of choices the mean over the rows. Null where no row has
    /// a right answer among its choices.
    /// </summary>
    public double? Loss => Tokens == 0 ? null
        : Task.Kind == EvaluationKind.Choices ? Right.Average(answer => -answer.Average()) : -Right.Sum(answer => answer.Sum()) / Tokens;

    /// <summary>Rows whose most likely choice is right; null where there are no choices.</summary>
    public MeanScore? Accuracy => Task.Kind == EvaluationKind.Choices ? MeanScore.Of([.. Rows.Select((_, row) => IsRight(row, perCharacter: false))]) : null;

    /// <summary>The same with log-probabilities divided by the characters of the choice.</summary>
    public MeanScore? NormalizedAccuracy =>
        Task.Kind == EvaluationKind.Choices ? MeanScore.Of([.. Rows.Select((_, row) => IsRight(row, perCharacter: true))]) : null;

    /// <summary>Log-probabilities of the right answers' tokens, the first of several; rows without one left out.</summary>
    List<List<double>> Right =>
    [
        .. Rows.Select((scores, row) => Task.Kind == EvaluationKind.Text
            ? scores.SelectMany(window => window.LogProbabilities).ToList()
            : Task.Rows[row].Gold[0] is var gold && gold >= 0 && gold < scores.Length ? [.. scores[gold].LogProbabilities] : [])
            .Where(answer => answer.Count > 0),
    ];

    bool IsRight(int row, bool perCharacter)
    {
        var asked = Task.Rows[row];
        int best = 0;
        double highest = double.NegativeInfinity;
        for (int choice = 0; choice < Rows[row].Length; choice++)
        {
            double score = Rows[row][choice].Sum / (perCharacter ? asked.Characters[choice] : 1);
            if (score > highest) (highest, best) = (score, choice);
        }
        return asked.Gold.Contains(best);
    }
}

/// <summary>How a model does on a plain text.</summary>
/// <param name="File">The file.</param>
/// <param name="Tokens">Tokens that are scored: all but the first of each window.</param>
/// <param name="Loss">Cross-entropy a token, in nats.</param>
public sealed record TextScores(string File, int Tokens, double Loss)
{
    /// <summary>e to the loss.</summary>
    public double Perplexity => Math.Exp(Loss);
}

/// <summary>How a model does.</summary>
/// <param name="Model">Its name.</param>
/// <param name="Tasks">On each task.</param>
/// <param name="Text">On the plain text; null: none was given.</param>
public sealed record ModelScores(string Model, ImmutableArray<TaskScores> Tasks, TextScores? Text);
