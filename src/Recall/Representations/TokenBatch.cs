using System.Collections.Immutable;
using Recall.Configuration;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// Texts of nearly equal length that go through a model together. Rows are filled up with id 0; what stands there never enters a
/// result.
/// </summary>
public sealed class TokenBatch : IDisposable
{
    TokenBatch(Tensor ids, ImmutableArray<int> lengths, ImmutableArray<int> texts, bool paddedLeft)
    {
        Ids = ids;
        Lengths = lengths;
        Texts = texts;
        PaddedLeft = paddedLeft;
        int longest = lengths.Max();
        var real = new bool[lengths.Length, longest];
        for (int row = 0; row < lengths.Length; row++)
            for (int i = 0; i < lengths[row]; i++) real[row, paddedLeft ? longest - 1 - i : i] = true;
        Real = tensor(real).DetachFromDisposeScope();
    }

    /// <summary>Token ids: [B, T] int64.</summary>
    public Tensor Ids { get; }

    /// <summary>Where a real token stands: [B, T] bool.</summary>
    public Tensor Real { get; }

    /// <summary>Tokens of each row.</summary>
    public ImmutableArray<int> Lengths { get; }

    /// <summary>For each row, the number of its text in the list that was batched.</summary>
    public ImmutableArray<int> Texts { get; }

    /// <summary>Whether rows are filled up at their beginning, as generation needs it, or at their end.</summary>
    public bool PaddedLeft { get; }

    /// <summary>One batch of all the texts, in their order. Each must have a token.</summary>
    /// <exception cref="RecallException">A text without tokens, or no text.</exception>
    public static TokenBatch Of(IReadOnlyList<int[]> texts, bool padLeft = false) =>
        Of(texts, [.. Enumerable.Range(0, texts.Count)], padLeft);

    /// <summary>
    /// Batches of at most <paramref name="tokens"/> tokens, padding included (a longer text is a batch of its own), of texts sorted by
    /// length:
    /// longest first, so that memory is at its highest at once. Each batch is the caller's to dispose.
    /// </summary>
    public static IEnumerable<TokenBatch> ByLength(IReadOnlyList<int[]> texts, int tokens = 4096)
    {
        var order = Enumerable.Range(0, texts.Count).OrderByDescending(text => texts[text].Length).ToArray();    // stable
        for (int start = 0; start < order.Length;)
        {
            int count = Math.Clamp(tokens / Math.Max(texts[order[start]].Length, 1), 1, order.Length - start);
            yield return Of(texts, [.. order.AsSpan(start, count)], padLeft: false);
            start += count;
        }
    }

    static TokenBatch Of(IReadOnlyList<int[]> texts, ImmutableArray<int> chosen, bool padLeft)
    {
        if (chosen.IsEmpty) throw new RecallException("there is no text to compute with");
        foreach (int text in chosen)
            if (texts[text].Length == 0) throw new RecallException($"text {text} has no tokens");
        int longest = chosen.Max(text => texts[text].Length);
        var ids = new long[chosen.Length, longest];
        for (int row = 0; row < chosen.Length; row++)
        {
            var text = texts[chosen[row]];
            int first = padLeft ? longest - text.Length : 0;
            for (int i = 0; i < text.Length; i++) ids[row, first + i] = text[i];
        }
        return new TokenBatch(tensor(ids).DetachFromDisposeScope(), [.. chosen.Select(text => texts[text].Length)], chosen, padLeft);
    }

    /// <summary>One vector a row, over its real tokens only, in float32.</summary>
    public Tensor Pool(Tensor hidden, Pooling pooling)
    {
        // [B, T, d] → [B, d]
        using var scope = NewDisposeScope();
        if (pooling == Pooling.Mean)
        {
            // Sums are taken by selection, not by products with 0: a NaN at a padded place stays there.
            var kept = hidden.to_type(ScalarType.Float32).ZeroWhere(Real.logical_not().unsqueeze(-1));
            return (kept.sum(1) / tensor(Lengths.Select(length => (float)length).ToArray()).unsqueeze(-1)).MoveToOuterDisposeScope();
        }
        var last = Lengths.Select(length => PaddedLeft ? hidden.shape[1] - 1 : (long)length - 1).ToArray();
        return hidden.index(KeptScalars.Range(0, Lengths.Length), tensor(last)).to_type(ScalarType.Float32, copy: true).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Ids.Dispose();
        Real.Dispose();
    }
}
