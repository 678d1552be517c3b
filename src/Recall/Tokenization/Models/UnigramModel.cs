using System.Text;

namespace Recall.Tokenization.Models;

/// <summary>Unigram of sentencepiece (Kudo, 2018, arXiv 1804.10959): the cut of the word whose tokens' log-probabilities sum highest
/// (Viterbi).</summary>
sealed class UnigramModel : TokenModel
{
    // sentencepiece: an unknown character costs 10 more than the least likely token.
    const double UnknownPenalty = 10;

    readonly double[] _scores;
    readonly int? _unknown;
    readonly int[]? _bytes;
    readonly TokenTrie _trie = new();
    readonly double _unknownScore;

    UnigramModel(Vocabulary vocabulary, double[] scores, int? unknown, int[]? bytes) : base(vocabulary)
    {
        (_scores, _unknown, _bytes) = (scores, unknown, bytes);
        _unknownScore = scores.Min() - UnknownPenalty;
        for (int id = 0; id < scores.Length; id++)
            if (vocabulary.TryGetToken(id, out var token) && token.Length > 0) _trie.Add(token, id);
    }

    public static UnigramModel Read(JsonPart part)
    {
        var vocabulary = new Vocabulary();
        var scores = new List<double>();
        foreach (var item in part.Get("vocab").Items)
        {
            if (item.Items.ToList() is not [var token,
                { Element.ValueKind: System.Text.Json.JsonValueKind.Number } score]) throw item.Error("a token and its score are expected here");
            if (!vocabulary.TryAdd(token.Text, scores.Count)) throw item.Error($"token {Quoted.Of(token.Text)} stands twice");
            scores.Add(score.Element.GetDouble());
        }
        if (scores.Count == 0) throw part.Error("the vocabulary is empty");
        int? unknown = part.Find("unk_id")?.Id;
        if (unknown >= scores.Count) throw part.Error($"'unk_id' is {unknown}, but the vocabulary has {scores.Count} tokens");
        int[]? bytes = part.FindTruth("byte_fallback") ? BytePairModel.ByteTokens(vocabulary) : null;
        return new UnigramModel(vocabulary, [.. scores], unknown, bytes);
    }

    public override void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        var best = new (double Score, int Start, int Id)[word.Length + 1];
        for (int i = 1; i < best.Length; i++) best[i] = (double.NegativeInfinity, -1, -1);
        for (int start = 0; start < word.Length;)
        {
            Rune.DecodeFromUtf16(word[start..], out _, out int length);
            bool single = false;
            int node = 0;
            for (int end = start; end < word.Length && (node = _trie.Next(node, word[end])) > 0;)
            {
                end++;
                if (_trie.Value(node) is not (>= 0 and var id)) continue;
                Offer(best, start, end, _scores[id], id);
                single |= end - start == length;
            }
            if (!single) Offer(best, start, start + length, _unknownScore, -1);
            start += length;
        }
        Append(word, best, ids);
    }

    static void Offer((double Score, int Start, int Id)[] best, int start, int end, double score, int id)
    {
        double candidate = best[start].Score + score;
        if (best[end].Start < 0 || candidate > best[end].Score) best[end] = (candidate, start, id);
    }

    /// <summary>Walks the best path; neighbouring unknown characters count as one.</summary>
    void Append(ReadOnlySpan<char> word, (double Score, int Start, int Id)[] best, List<int> ids)
    {
        var path = new List<(int Start, int End, int Id)>();
        for (int end = word.Length; end > 0; end = best[end].Start)
        {
            int id = best[end].Id == _unknown ? -1 : best[end].Id;
            if (id < 0 && path.Count > 0 && path[^1].Id < 0) path[^1] = path[^1] with { Start = best[end].Start };
            else path.Add((best[end].Start, end, id));
        }
        for (int i = path.Count - 1; i >= 0; i--)
        {
            var (start, end, id) = path[i];
            if (id < 0) id = Vocabulary.Id(word[start..end]) ?? -1;
            if (id >= 0) ids.Add(id);
            else if (_bytes is not null) foreach (byte value in Encoding.UTF8.GetBytes(word[start..end].ToString())) ids.Add(_bytes[value]);
            else ids.Add(_unknown
                ?? throw new RecallException($"the tokenizer has no token for {Quoted.Of(word[start..end].ToString())} and no 'unk_id'"));
        }
    }
}
