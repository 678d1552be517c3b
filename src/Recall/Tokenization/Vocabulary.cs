using System.Diagnostics.CodeAnalysis;

namespace Recall.Tokenization;

/// <summary>Tokens and their ids, both ways. Ids may have holes; a token has one id and an id one token.</summary>
sealed class Vocabulary
{
    /// <summary>Above any vocabulary in use: the largest have about 300,000 tokens.</summary>
    public const int LargestId = (1 << 24) - 1;

    readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    readonly Dictionary<int, string> _tokens = [];

    public Vocabulary() => _bySpan = _ids.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Largest id + 1.</summary>
    public int Size { get; private set; }

    public int? Id(ReadOnlySpan<char> token) => _bySpan.TryGetValue(token, out int id) ? id : null;

    public bool TryGetId(ReadOnlySpan<char> token, out int id) => _bySpan.TryGetValue(token, out id);

    public bool TryGetToken(int id, [MaybeNullWhen(false)] out string token) => _tokens.TryGetValue(id, out token);

    /// <summary>Adds a token; false where it or its id is taken.</summary>
    public bool TryAdd(string token, int id)
    {
        if (_ids.ContainsKey(token) || !_tokens.TryAdd(id, token)) return false;
        _ids.Add(token, id);
        Size = Math.Max(Size, id + 1);
        return true;
    }

    /// <summary>The object token → id of BPE, WordPiece and WordLevel.</summary>
    public static Vocabulary Read(JsonPart part)
    {
        var vocabulary = new Vocabulary();
        foreach (var (token, value) in part.Properties)
        {
            int id = value.Id;
            if (vocabulary.TryAdd(token, id)) continue;
            throw part.Error(vocabulary.TryGetToken(id, out var other) && other != token
                ? $"tokens {Quoted.Of(other)} and {Quoted.Of(token)} have one id, {id}"
                : $"token {Quoted.Of(token)} stands twice");
        }
        return vocabulary;
    }
}
