using System.Runtime.InteropServices;
using System.Text.Json;

namespace Recall.Tokenization.Models;

/// <summary>The merges of a BPE model: which pairs become which token, and in which order.</summary>
sealed class MergeTable
{
    // Below, a scan for the best pair is faster than a queue; above, its square would tell.
    const int LongestScan = 128;

    readonly Dictionary<long, (int Rank, int Merged)> _pairs;

    MergeTable(Dictionary<long, (int Rank, int Merged)> pairs) => _pairs = pairs;

    /// <summary>Reads the list of merges: pairs, or texts with a blank between.</summary>
    /// <param name="part">The list.</param>
    /// <param name="vocabulary">The model's tokens.</param>
    /// <param name="prefix">Length of the continuing prefix, which the second part loses on merging.</param>
    public static MergeTable Read(JsonPart part, Vocabulary vocabulary, int prefix)
    {
        var pairs = new Dictionary<long, (int, int)>();
        int rank = 0;
        foreach (var item in part.Items)
        {
            if (item.Element.ValueKind == JsonValueKind.String && item.Text.StartsWith("#version", StringComparison.Ordinal)) continue;
            var (left, right) = Pair(item);
            if (right.Length < prefix) throw item.Error($"{Quoted.Of(right)} is shorter than the continuing prefix");
            pairs[Key(Id(left), Id(right))] = (rank++, Id(string.Concat(left, right.AsSpan(prefix))));

            int Id(string token) => vocabulary.Id(token)
                ?? throw item.Error($"merges {Quoted.Of(left)} and {Quoted.Of(right)}, but {Quoted.Of(token)} is not in the vocabulary");
        }
        return new MergeTable(pairs);
    }

    /// <summary>The two tokens of a merge.</summary>
    public static (string Left, string Right) Pair(JsonPart item)
    {
        if (item.Element.ValueKind == JsonValueKind.Array)
            return item.Items.ToList() is [var left, var right] ? (left.Text, right.Text) : throw item.Error("a merge is a pair of tokens");
        string[] parts = item.Text.Split(' ');
        return parts.Length == 2 ? (parts[0], parts[1])
            : throw item.Error($"a merge is two tokens with a blank between, not {Quoted.Of(item.Text)}");
    }

    static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    /// <summary>Merges the symbols of a word and appends what is left.</summary>
    public void Apply(Span<int> symbols, List<int> ids)
    {
        if (symbols.Length > LongestScan)
        {
            ApplyQueue(symbols, ids);
            return;
        }
        Span<(int Rank, int Merged)> best = stackalloc (int, int)[LongestScan];
        for (int i = 0; i + 1 < symbols.Length; i++) best[i] = Find(symbols[i], symbols[i + 1]);
        int count = symbols.Length;
        while (count > 1)
        {
            int at = 0;
            for (int i = 1; i + 1 < count; i++)
                if (best[i].Rank < best[at].Rank) at = i;
            if (best[at].Rank == int.MaxValue) break;
            symbols[at] = best[at].Merged;
            count--;
            symbols[(at + 2)..(count + 1)].CopyTo(symbols[(at + 1)..]);
            if (at + 1 < count) best[(at + 2)..count].CopyTo(best[(at + 1)..]);
            if (at + 1 < count) best[at] = Find(symbols[at], symbols[at + 1]);
            if (at > 0) best[at - 1] = Find(symbols[at - 1], symbols[at]);
        }
        ids.AddRange(symbols[..count]);
    }

    void ApplyQueue(Span<int> symbols, List<int> ids)
    {
        var queue = new PriorityQueue<(int Left, int Right, int Merged), (int Rank, int At)>();
        var next = new int[symbols.Length];
        var previous = new int[symbols.Length];
        for (int i = 0; i < symbols.Length; i++) (next[i], previous[i]) = (i + 1, i - 1);
        for (int i = 0; i + 1 < symbols.Length; i++) Offer(symbols, next, queue, i);
        while (queue.TryDequeue(out var pair, out var priority))
        {
            int at = priority.At, right = next[at];
            // A pair whose halves have since become part of others is stale.
            if (symbols[at] != pair.Left || right >= symbols.Length || symbols[right] != pair.Right) continue;
            symbols[at] = pair.Merged;
            symbols[right] = -1;
            next[at] = next[right];
            if (next[at] < symbols.Length) previous[next[at]] = at;
            Offer(symbols, next, queue, at);
            if (previous[at] >= 0) Offer(symbols, next, queue, previous[at]);
        }
        foreach (int symbol in symbols)
            if (symbol >= 0) ids.Add(symbol);
    }

    void Offer(Span<int> symbols, int[] next, PriorityQueue<(int, int, int), (int, int)> queue, int at)
    {
        if (next[at] >= symbols.Length) return;
        var (rank, merged) = Find(symbols[at], symbols[next[at]]);
        if (rank != int.MaxValue) queue.Enqueue((symbols[at], symbols[next[at]], merged), (rank, at));
    }

    (int Rank, int Merged) Find(int left, int right)
    {
        ref var found = ref CollectionsMarshal.GetValueRefOrNullRef(_pairs, Key(left, right));
        return System.Runtime.CompilerServices.Unsafe.IsNullRef(ref found) ? (int.MaxValue, -1) : found;
    }
}
