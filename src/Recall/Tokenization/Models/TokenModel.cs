namespace Recall.Tokenization.Models;

/// <summary>The model of a tokenizer.json: makes ids of a word.</summary>
abstract class TokenModel(Vocabulary vocabulary)
{
    /// <summary>The model's own tokens, without the added ones.</summary>
    public Vocabulary Vocabulary { get; } = vocabulary;

    /// <summary>Appends the ids of a word that pre-tokenization cut out.</summary>
    public abstract void Encode(ReadOnlySpan<char> word, List<int> ids);

    /// <summary>The model of a section.</summary>
    /// <param name="part">The section <c>model</c>.</param>
    /// <param name="mapsBytes">Words come as plain text, and the model maps them to GPT-2's byte alphabet.</param>
    public static TokenModel Create(JsonPart part, bool mapsBytes)
    {
        string type = part.FindText("type") ?? (part.Find("merges") is null ? throw part.Error("'type' is missing") : "BPE");
        if (mapsBytes && type != "BPE")
            throw part.Error($"a byte-level pre-tokenizer before a model of type {Quoted.Of(type)} is not supported; Recall knows it before BPE");
        return type switch
        {
            "BPE" => BytePairModel.Read(part, mapsBytes),
            "Unigram" => UnigramModel.Read(part),
            "WordPiece" => WordPieceModel.Read(part),
            "WordLevel" => new WordLevelModel(Vocabulary.Read(part.Get("vocab")), part.FindText("unk_token")),
            _ => throw part.Error($"models of type {Quoted.Of(type)} are not supported; Recall knows BPE, Unigram, WordPiece and WordLevel"),
        };
    }
}

/// <summary>WordLevel: a word is a token, or the unknown one, or nothing.</summary>
sealed class WordLevelModel(Vocabulary vocabulary, string? unknown) : TokenModel(vocabulary)
{
    public override void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if ((Vocabulary.Id(word) ?? (unknown is null ? null : Vocabulary.Id(unknown))) is { } id) ids.Add(id);
    }
}

/// <summary>WordPiece: the longest token that begins the rest of the word, again and again; one gap makes the whole word unknown.</summary>
sealed class WordPieceModel(Vocabulary vocabulary, int unknown, string prefix, int longestWord) : TokenModel(vocabulary)
{
    public static WordPieceModel Read(JsonPart part)
    {
        var vocabulary = Vocabulary.Read(part.Get("vocab"));
        string unknown = part.FindText("unk_token") ?? "[UNK]";
        int id = vocabulary.Id(unknown) ?? throw part.Error($"the unknown token {Quoted.Of(unknown)} is not in the vocabulary");
        return new WordPieceModel(vocabulary, id, part.FindText("continuing_subword_prefix")
            ?? "##", part.Find("max_input_chars_per_word")?.Id ?? 100);
    }

    public override void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        int first = ids.Count, characters = 0;
        foreach (var _ in word.EnumerateRunes()) characters++;
        if (characters > longestWord)
        {
            ids.Add(unknown);
            return;
        }
        for (int start = 0; start < word.Length;)
        {
            int end = word.Length, found = -1;
            for (; end > start; end--)
            {
                if (char.IsLowSurrogate(word[end - 1]) && end - 1 == start) break;
                if (Vocabulary.Id(start == 0 ? word[..end] : string.Concat(prefix, word[start..end])) is not { } id) continue;
                found = id;
                break;
            }
            if (found < 0)
            {
                ids.RemoveRange(first, ids.Count - first);
                ids.Add(unknown);
                return;
            }
            ids.Add(found);
            start = end;
        }
    }
}
