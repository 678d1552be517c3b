using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>Greedy generation with cached keys and values.</summary>
public static class Generation
{
    /// <summary>
    /// The most likely next token, again and again, until an end token (which is kept) or <paramref name="maxNew"/> tokens. Of equal
    /// scores the
    /// lowest id counts.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="ids">The prompt; at least one token.</param>
    /// <param name="maxNew">The most new tokens.</param>
    /// <param name="eos">The end tokens; none: <paramref name="maxNew"/> tokens whatever comes.</param>
    /// <param name="cancellation">Ends the work between tokens.</param>
    /// <returns>The new tokens.</returns>
    public static int[] Greedy(
        LanguageModel model, int[] ids, int maxNew, IReadOnlyCollection<int> eos, CancellationToken cancellation = default) =>
        Greedy(model, [ids], maxNew, eos, cancellation)[0];

    /// <summary>The same for several prompts in one batch: each result is that of its prompt alone, up to the rounding of sums.</summary>
    public static IReadOnlyList<int[]> Greedy(
        LanguageModel model, IReadOnlyList<int[]> prompts, int maxNew, IReadOnlyCollection<int> eos,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxNew);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Of(prompts, padLeft: true);
        long rows = prompts.Count;
        using var cache = new KeyValueCache(model.Options, rows, batch.Ids.shape[1] + Math.Min(maxNew, 256), model.Type);
        var (made, done) = (prompts.Select(_ => new List<int>()).ToArray(), new bool[rows]);
        var input = batch.Ids;
        for (int count = 0; count < maxNew && done.Contains(false); count++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            using var context = count == 0
                ? AttentionContext.Of(model.Options, batch, model.Type)
                : AttentionContext.Of(model.Options, cat([batch.Real, ones([rows, count], ScalarType.Bool)], 1), cache.Length, model.Type);
            var hidden = model.Forward(input, context, cache: cache);
            var next = model.Logits(hidden.narrow(1, hidden.shape[1] - 1, 1)).argmax(-1);   // [B, 1]
            var ids = next.data<long>().ToArray();
            for (int row = 0; row < rows; row++)
            {
                if (done[row]) continue;
                made[row].Add((int)ids[row]);
                done[row] = eos.Contains((int)ids[row]);
            }
            if (count > 0) input.Dispose();
            input = next.DetachFromDisposeScope();
        }
        if (!ReferenceEquals(input, batch.Ids)) input.Dispose();
        return [.. made.Select(row => row.ToArray())];
    }
}
