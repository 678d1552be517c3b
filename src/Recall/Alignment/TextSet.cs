using System.Collections.Immutable;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// The texts of one expert, in batches of nearly equal length. Every text runs as if alone: padding stands at the end, where no real token
/// sees it, and has no part in any statistics.
/// </summary>
sealed class TextSet : IDisposable
{
    /// <summary>Tokens of a batch: products in float32 are added up in double precision batch by batch.</summary>
    const int BatchTokens = 2048;

    readonly ImmutableArray<Tensor?> _real;             // [real tokens] int64: their places in the flattened batch; null: no padding
    readonly ImmutableArray<(int Task, bool Predicts)[]> _tokens;

    public TextSet(IReadOnlyList<AlignmentText> texts, BlockOptions options)
    {
        Batches = [.. TokenBatch.ByLength([.. texts.Select(text => text.Ids)], BatchTokens)];
        Contexts = [.. Batches.Select(batch => AttentionContext.Of(options, batch))];
        string[] tasks = [.. texts.Select(text => text.Task).Distinct(StringComparer.Ordinal)];
        Tasks = tasks.Length;
        _real = [.. Batches.Select(RealTokens)];
        _tokens =
        [
            .. Batches.Select(batch => batch.Texts.SelectMany(text => Enumerable.Range(0, texts[text].Ids.Length)
                .Select(token => (Array.IndexOf(tasks, texts[text].Task), token >= texts[text].FirstPredicting))).ToArray()),
        ];
    }

    /// <summary>The batches.</summary>
    public ImmutableArray<TokenBatch> Batches { get; }

    /// <summary>Rotations and masks of each batch.</summary>
    public ImmutableArray<AttentionContext> Contexts { get; }

    /// <summary>Number of tasks.</summary>
    public int Tasks { get; }

    /// <summary>Number of real tokens.</summary>
    public int Tokens => _tokens.Sum(batch => batch.Length);

    /// <summary>The real tokens' rows of a batch.</summary>
    public Tensor Rows(int batch, Tensor values)
    {
        // [B, T, n] → [tokens, n]
        var flat = values.reshape(-1, values.shape[^1]);
        if (_real[batch] is not { } real) return flat;
        using (flat) return flat.index_select(0, real);
    }

    /// <summary>
    /// Weights of the real tokens, batch by batch, such that Σ w xᵀx is, summed over tasks, the second moment of all tokens divided by its
    /// trace, plus
    /// <paramref name="answers"/> times the same of the tokens that predict the answer. Where no text of a task has an answer, all tokens
    /// stand for it.
    /// </summary>
    public double[][] Weights(IReadOnlyList<Tensor> inputs, double answers)
    {
        var squares = inputs.Select((input, batch) => SquaredNorms(batch, input)).ToArray();
        var all = new double[Tasks];
        var predicting = new double[Tasks];
        for (int batch = 0; batch < squares.Length; batch++)
        {
            for (int i = 0; i < squares[batch].Length; i++)
            {
                var (task, predicts) = _tokens[batch][i];
                all[task] += squares[batch][i];
                if (predicts) predicting[task] += squares[batch][i];
            }
        }
        return
        [
            .. _tokens.Select(tokens => tokens.Select(token =>
            {
                double weight = Inverse(all[token.Task]);
                if (predicting[token.Task] == 0) return weight * (1 + answers);
                return token.Predicts ? weight + answers * Inverse(predicting[token.Task]) : weight;
            }).ToArray()),
        ];
    }

    /// <summary>The same weight for each token: 1 / tokens.</summary>
    public double[][] EvenWeights()
    {
        double each = 1.0 / Tokens;
        return [.. _tokens.Select(tokens => tokens.Select(_ => each).ToArray())];
    }

    static double Inverse(double trace) => trace > 0 ? 1 / trace : 0;

    double[] SquaredNorms(int batch, Tensor input)
    {
        using var scope = NewDisposeScope();
        return [.. Rows(batch, input).square().sum([1L], type: ScalarType.Float64).data<double>()];
    }

    static Tensor? RealTokens(TokenBatch batch)
    {
        long longest = batch.Ids.shape[1];
        if (batch.Lengths.All(length => length == longest)) return null;
        long[] places = [.. batch.Lengths.SelectMany((length, row) => Enumerable.Range(0, length).Select(i => row * longest + i))];
        return tensor(places).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var context in Contexts) context.Dispose();
        foreach (var batch in Batches) batch.Dispose();
        foreach (var real in _real) real?.Dispose();
    }
}
