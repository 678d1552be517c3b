namespace Recall.Checkpoints.Gguf;

/// <summary>The tokens inside a GGUF file: text, kind and score of each, and how they merge.</summary>
/// <param name="Path">The file.</param>
/// <param name="Model">Its kind, <c>tokenizer.ggml.model</c>: <c>gpt2</c> is byte-level BPE, <c>llama</c> is sentencepiece BPE.</param>
/// <param name="Tokens">The text of each id.</param>
/// <param name="Kinds">Its kind; empty where the file does not say.</param>
/// <param name="Scores">Its score; empty where there are none.</param>
/// <param name="Merges">Pairs as <c>a b</c>; empty where there are none.</param>
sealed record GgufVocabulary(
    string Path, string Model, IReadOnlyList<string> Tokens, IReadOnlyList<int> Kinds, IReadOnlyList<float> Scores, IReadOnlyList<string> Merges)
{
    const string Prefix = "tokenizer.ggml.";
    const int Unknown = 2, Control = 3, UserDefined = 4, Byte = 6;

    /// <summary>Reads and checks what the metadata holds; null where the file has no tokenizer.</summary>
    /// <exception cref="RecallException">Lists that belong together differ in length, or a value has another type.</exception>
    public static GgufVocabulary? Read(GgufFile file)
    {
        var metadata = file.Metadata;
        string? model = metadata.Text($"{Prefix}model");
        if (model is null or "none" or "no_vocab") return null;
        var tokens = metadata.Texts($"{Prefix}tokens")
            ?? throw new RecallException($"{file.Path}: metadata '{Prefix}tokens' is missing, though '{Prefix}model' is {Quoted.Of(model)}");
        var vocabulary = new GgufVocabulary(file.Path, model, tokens, metadata.Integers($"{Prefix}token_type") ?? [],
            metadata.Numbers($"{Prefix}scores") ?? [], metadata.Texts($"{Prefix}merges") ?? []);
        vocabulary.CheckLength("token_type", vocabulary.Kinds.Count);
        vocabulary.CheckLength("scores", vocabulary.Scores.Count);
        return vocabulary;
    }

    /// <summary>True for tokens that are found in a text as they are, before it is cut.</summary>
    public bool IsAdded(int id) => Kinds.Count > 0 && Kinds[id] is Unknown or Control or UserDefined;

    /// <summary>True for tokens that stand for no text.</summary>
    public bool IsSpecial(int id) => Kinds.Count > 0 && Kinds[id] is Unknown or Control;

    /// <summary>True when single bytes are tokens, <c>&lt;0x00&gt;</c> … .</summary>
    public bool HasBytes => Kinds.Contains(Byte);

    /// <summary>The id of each text.</summary>
    /// <exception cref="RecallException">Two ids have one text.</exception>
    public Dictionary<string, int> Ids()
    {
        var ids = new Dictionary<string, int>(Tokens.Count, StringComparer.Ordinal);
        for (int id = 0; id < Tokens.Count; id++)
            if (!ids.TryAdd(Tokens[id], id))
                throw new RecallException($"{Path}: its tokens {ids[Tokens[id]]} and {id} are both {Quoted.Of(Tokens[id])}");
        return ids;
    }

    /// <summary>The merges that the file lists, best first.</summary>
    /// <exception cref="RecallException">A merge is no pair of tokens that makes a token.</exception>
    public IReadOnlyList<(string Left, string Right)> ListedMerges(Dictionary<string, int> ids)
    {
        if (Merges.Count == 0) throw new RecallException($"{Path}: metadata '{Prefix}merges' is missing");
        var pairs = new (string, string)[Merges.Count];
        for (int i = 0; i < pairs.Length; i++)
        {
            int space = Merges[i].IndexOf(' ', 1 <= Merges[i].Length ? 1 : 0);
            if (space < 0) throw new RecallException($"{Path}: its merge {i} is no pair: {Quoted.Of(Merges[i])}");
            var (left, right) = (Merges[i][..space], Merges[i][(space + 1)..]);
            if (!ids.ContainsKey(left) || !ids.ContainsKey(right) || !ids.ContainsKey(left + right))
                throw new RecallException($"{Path}: its merge {i}, {Quoted.Of(Merges[i])}, names tokens that it does not have");
            pairs[i] = (left, right);
        }
        return pairs;
    }

    /// <summary>
    /// The merges that a sentencepiece vocabulary implies: every way to make a token of two others, those of the best-scored tokens first; within a
    /// token, the best-scored parts first (transformers' conversion of slow tokenizers).
    /// </summary>
    public IReadOnlyList<(string Left, string Right)> ImpliedMerges(Dictionary<string, int> ids)
    {
        if (Scores.Count == 0) throw new RecallException($"{Path}: metadata '{Prefix}scores' is missing");
        var known = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<(string Left, string Right, float Score)>();
        for (int id = 0; id < Tokens.Count; id++)
        {
            string token = Tokens[id];
            if (token.Length > LongestMerged) continue;
            var ways = new List<(int Left, int Right)>();
            for (int cut = 1; cut < token.Length; cut++)
                if (known.TryGetValue(token.AsSpan(0, cut), out int left) && known.TryGetValue(token.AsSpan(cut), out int right)) ways.Add((left, right));
            foreach (var (left, right) in ways.OrderByDescending(way => Scores[way.Left]).ThenByDescending(way => Scores[way.Right]))
                merges.Add((Tokens[left], Tokens[right], Scores[id]));
        }
        return [.. merges.OrderByDescending(merge => merge.Score).Select(merge => (merge.Left, merge.Right))];
    }

    // Longer ones (sentencepiece allows 16 characters unless told otherwise) would cost time that grows with the square.
    const int LongestMerged = 4096;

    void CheckLength(string key, int count)
    {
        if (count != 0 && count != Tokens.Count)
            throw new RecallException($"{Path}: metadata '{Prefix}tokens' has {Tokens.Count} elements, but '{Prefix}{key}' has {count}");
    }
}
