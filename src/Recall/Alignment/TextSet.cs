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

    readonly ImmutableArray<double> _weights;           // of the tasks
    readonly ImmutableArray<Tensor?> _real;             // [real tokens] int64: their places in the flattened batch; null: no padding
    readonly ImmutableArray<TokenLabel[]> _tokens;

    public TextSet(IReadOnlyList<AlignmentText> texts, BlockOptions options)
    {
        Batches = [.. TokenBatch.ByLength([.. texts.Select(text => text.Ids)], BatchTokens)];
        Contexts = [.. Batches.Select(batch => AttentionContext.Of(options, batch))];
        string[] tasks = [.. texts.Select(text => text.Task).Distinct(StringComparer.Ordinal)];
        _weights = [.. tasks.Select(task => texts.First(text => text.Task == task).Weight ?? 1)];
        _real = [.. Batches.Select(RealTokens)];
        _tokens =
        [
            .. Batches.Select(batch => batch.Texts.SelectMany(text => Enumerable.Range(0, texts[text].Ids.Length).Select(token =>
                new TokenLabel(Array.IndexOf(tasks, texts[text].Task), token >= texts[text].FirstPredicting, true))).ToArray()),
        ];
        All = new TokenSelection(_weights, _tokens, _real);
    }

    /// <summary>The batches.</summary>
    public ImmutableArray<TokenBatch> Batches { get; }

    /// <summary>Rotations and masks of each batch.</summary>
    public ImmutableArray<AttentionContext> Contexts { get; }

    /// <summary>All real tokens.</summary>
    public TokenSelection All { get; }

    /// <summary>Some of the real tokens, whose rows are the inputs of an expert.</summary>
    /// <param name="chosen">Batch by batch, their numbers among the real ones, and whether each counts.</param>
    public TokenSelection Select(IReadOnlyList<(long[] Tokens, bool[] Counts)> chosen) => new(_weights,
        [.. chosen.Select((each, batch) => each.Tokens.Select((token, i) => _tokens[batch][token] with { Counts = each.Counts[i] }).ToArray())],
        [.. chosen.Select(_ => (Tensor?)null)]);

    /// <summary>Rows of the real tokens at their places among all, zeros elsewhere.</summary>
    public Tensor Whole(int batch, Tensor rows)
    {
        // [tokens, n] → [B, T, n]
        var (texts, longest, size) = (Batches[batch].Ids.shape[0], Batches[batch].Ids.shape[1], rows.shape[1]);
        if (_real[batch] is not { } real) return rows.view(texts, longest, size);
        using var scope = NewDisposeScope();
        return zeros([texts * longest, size], rows.dtype).index_copy(0, real, rows).view(texts, longest, size).MoveToOuterDisposeScope();
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
