using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Evaluation;

/// <summary>
/// Log-probabilities of wanted tokens: log-softmax over the whole vocabulary, of which some rows of the head are in memory at a time, and
/// never the scores of all.
/// </summary>
sealed class TargetScores
{
    const int HeadRows = 4096, StateRows = 1024;

    readonly int[] _targets;
    readonly double[] _logSums;         // log Σ exp over the tokens so far
    readonly double[] _wanted;
    readonly float[] _largest;
    readonly long[] _best;

    TargetScores(int[] targets)
    {
        _targets = targets;
        _logSums = new double[targets.Length];
        _wanted = new double[targets.Length];
        _largest = new float[targets.Length];
        _best = new long[targets.Length];
        Array.Fill(_logSums, double.NegativeInfinity);
        Array.Fill(_largest, float.NegativeInfinity);
    }

    /// <summary>The log-probability of a target.</summary>
    public double LogProbability(int target) => _wanted[target] - _logSums[target];

    /// <summary>Whether no token has a higher score than the target; of equal ones the first.</summary>
    public bool IsGreedy(int target) => _best[target] == _targets[target];

    /// <summary>Scores after the last block's output.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="states">The states before the final norm: [targets, d].</param>
    /// <param name="targets">The token wanted after each.</param>
    /// <param name="reader">Reads the head.</param>
    /// <param name="cancellation">Stops between parts of the head.</param>
    public static TargetScores Of(Checkpoint checkpoint, Tensor states, int[] targets, TileReader reader, CancellationToken cancellation)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var options = BlockOptions.Read(checkpoint);
        using var head = ModelHead.Read(checkpoint, options, states.dtype, reader);
        var source = checkpoint.Require(options.HeadWeight, options.EmbeddingShape);
        var normed = head.Normalize(states);
        var weights = empty([Math.Min(HeadRows, options.VocabularySize), options.HiddenSize], states.dtype);
        var scores = new TargetScores(targets);
        for (int first = 0; first < options.VocabularySize; first += HeadRows)
        {
            int count = Math.Min(HeadRows, options.VocabularySize - first);
            using var rows = weights.narrow(0, 0, count);
            new RowRange(source, first, count).ReadInto(rows, reader);
            for (int start = 0; start < targets.Length; start += StateRows)
            {
                cancellation.ThrowIfCancellationRequested();
                using var part = NewDisposeScope();
                var some = normed.narrow(0, start, Math.Min(StateRows, targets.Length - start));
                scores.Add(head.Scores(some, rows, first).to_type(ScalarType.Float32).contiguous(), start, first);
            }
        }
        return scores;
    }

    void Add(Tensor logits, int start, int first)
    {
        // [targets from start, tokens from first]
        long columns = logits.shape[1];
        var values = MemoryMarshal.Cast<byte, float>(logits.bytes);
        float[] sums = logits.logsumexp(1).data<float>().ToArray();
        var (largest, best) = logits.max(1);
        float[] highest = largest.data<float>().ToArray();
        long[] places = best.data<long>().ToArray();
        for (int row = 0; row < sums.Length; row++)
        {
            int target = start + row;
            double before = _logSums[target], now = sums[row], high = Math.Max(before, now);
            _logSums[target] = high + Math.Log(Math.Exp(before - high) + Math.Exp(now - high));
            if (highest[row] > _largest[target]) (_largest[target], _best[target]) = (highest[row], first + places[row]);
            long column = _targets[target] - first;
            if (column >= 0 && column < columns) _wanted[target] = values[(int)(row * columns + column)];
        }
    }
}
