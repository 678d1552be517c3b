using System.Collections.Immutable;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>A token in statistics.</summary>
/// <param name="Task">The number of its text's task.</param>
/// <param name="Predicts">Whether it predicts a token of the answer.</param>
/// <param name="Counts">Whether it has a part in the second moment.</param>
readonly record struct TokenLabel(int Task, bool Predicts, bool Counts);

/// <summary>The tokens that a step's layers see: all real ones, or those routed to an expert.</summary>
/// <param name="tasks">What each task weighs.</param>
/// <param name="labels">The tokens, batch by batch.</param>
/// <param name="places">Their places in a batch's inputs, flattened to rows, [tokens] int64; null: the inputs are just their rows.</param>
sealed class TokenSelection(ImmutableArray<double> tasks, ImmutableArray<TokenLabel[]> labels, ImmutableArray<Tensor?> places)
{
    /// <summary>Number of tokens.</summary>
    public int Count => labels.Sum(batch => batch.Length);

    /// <summary>The tokens' rows of a batch.</summary>
    public Tensor Rows(int batch, Tensor values)
    {
        // [..., n] → [tokens, n]
        var flat = values.reshape(-1, values.shape[^1]);
        if (places[batch] is not { } chosen) return flat;
        using (flat) return flat.index_select(0, chosen);
    }

    /// <summary>
    /// Weights of the tokens, batch by batch, such that Σ w xᵀx is, summed over tasks, the second moment of all tokens divided by its trace,
    /// plus <paramref name="answers"/> times the same of the tokens that predict the answer. Where no text of a task has an answer, all
    /// tokens stand for it. A task counts as often as it weighs.
    /// </summary>
    public double[][] Weights(IReadOnlyList<Tensor> inputs, double answers)
    {
        var squares = inputs.Select((input, batch) => SquaredNorms(batch, input)).ToArray();
        var all = new double[tasks.Length];
        var predicting = new double[tasks.Length];
        for (int batch = 0; batch < squares.Length; batch++)
        {
            for (int i = 0; i < squares[batch].Length; i++)
            {
                var (task, predicts, counts) = labels[batch][i];
                if (counts) all[task] += squares[batch][i];
                if (counts && predicts) predicting[task] += squares[batch][i];
            }
        }
        return
        [
            .. labels.Select(tokens => tokens.Select(token =>
            {
                if (!token.Counts) return 0;
                double task = tasks[token.Task], weight = task * Inverse(all[token.Task]);
                if (predicting[token.Task] == 0) return weight * (1 + answers);
                return token.Predicts ? weight + task * answers * Inverse(predicting[token.Task]) : weight;
            }).ToArray()),
        ];
    }

    /// <summary>The same weight for each token: 1 / tokens.</summary>
    public double[][] EvenWeights()
    {
        int count = labels.Sum(batch => batch.Count(token => token.Counts));
        return [.. labels.Select(tokens => tokens.Select(token => token.Counts ? 1.0 / count : 0).ToArray())];
    }

    static double Inverse(double trace) => trace > 0 ? 1 / trace : 0;

    double[] SquaredNorms(int batch, Tensor input)
    {
        if (labels[batch].Length == 0) return [];
        using var scope = NewDisposeScope();
        return [.. Rows(batch, input).Squared().sum([1L], type: ScalarType.Float64).data<double>()];
    }
}
