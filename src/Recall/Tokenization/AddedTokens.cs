using System.Globalization;
using System.Text;

namespace Recall.Tokenization;

/// <summary>A token beside the model's own: found in the text as it is, before the model sees anything.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">What it stands for.</param>
/// <param name="SingleWord">Only where no word character stands on either side.</param>
/// <param name="LeftStrip">Swallows blanks before it.</param>
/// <param name="RightStrip">Swallows blanks after it.</param>
/// <param name="Normalized">Looked for in the normalised text.</param>
/// <param name="Special">Left out of a decoded text where that is asked for.</param>
readonly record struct AddedToken(int Id, string Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special)
{
    /// <summary>Reads an entry of <c>added_tokens</c>; the id of a token that the model has too is the model's. Null for an empty one.</summary>
    public static AddedToken? Read(JsonPart item, Vocabulary model)
    {
        string content = item.Get("content").Text;
        if (content.Length == 0) return null;
        int stated = item.Get("id").Id, id = model.Id(content) ?? stated;
        if (model.TryGetToken(id, out var other)
            && other != content) throw item.Error($"has id {id}, which is that of token {Quoted.Of(other)}");
        return new AddedToken(id, content, item.FindTruth("single_word"), item.FindTruth("lstrip"), item.FindTruth("rstrip"),
            item.FindTruth("normalized", true), item.FindTruth("special"));
    }
}

/// <summary>The added tokens of a tokenizer.json.</summary>
sealed class AddedTokens
{
    readonly List<AddedToken> _tokens = [];
    readonly TokenTrie _raw = new(), _normalized = new();
    readonly Vocabulary _vocabulary = new();
    readonly Dictionary<int, string> _decoded = [];
    readonly HashSet<string> _special = new(StringComparer.Ordinal);

    /// <summary>Reads the list; ids of tokens that the model has too are the model's.</summary>
    public static AddedTokens Read(JsonPart? part, Vocabulary model, Normalizer? normalizer)
    {
        var added = new AddedTokens();
        if (part is null) return added;
        foreach (var item in part.Value.Items)
        {
            if (AddedToken.Read(item, model) is not { } token) continue;
            if (!added._vocabulary.TryAdd(token.Content, token.Id))
                throw item.Error(added._vocabulary.Id(token.Content) is null ? $"id {token.Id} stands twice"
                    : $"added token {Quoted.Of(token.Content)} stands twice");
            added.Add(token, normalizer);
        }
        return added;
    }

    void Add(AddedToken token, Normalizer? normalizer)
    {
        string sought = token.Normalized && normalizer is not null ? normalizer(token.Content) : token.Content;
        if (sought.Length > 0) (token.Normalized ? _normalized : _raw).Add(sought, _tokens.Count);
        if (token.Special) _special.Add(token.Content);
        _decoded.Add(token.Id, sought);
        _tokens.Add(token);
    }

    /// <summary>The tokens with their ids.</summary>
    public Vocabulary Vocabulary => _vocabulary;

    /// <summary>What an id decodes to: tokenizers 0.23 gives a token that is looked for in normalised text back normalised. Null where it
    /// is none.</summary>
    public string? Decoded(int id) => _decoded.GetValueOrDefault(id);

    /// <summary>Whether a token is left out on decoding without special tokens.</summary>
    public bool IsSpecial(string token) => _special.Contains(token);

    /// <summary>Cuts a piece at the added tokens in it. Id −1 marks what lies between.</summary>
    /// <param name="piece">Raw or normalised text.</param>
    /// <param name="normalized">Which tokens are looked for.</param>
    /// <param name="into">Receives the pieces in order.</param>
    public void Split(Piece piece, bool normalized, List<(int Id, Piece Piece)> into)
    {
        var trie = normalized ? _normalized : _raw;
        if (trie.IsEmpty)
        {
            if (piece.Length > 0) into.Add((-1, piece));
            return;
        }
        var text = piece.Span;
        int done = 0;
        for (int at = 0; at < text.Length;)
        {
            var (index, length) = trie.Longest(text[at..]);
            if (index < 0)
            {
                at++;
                continue;
            }
            var token = _tokens[index];
            int start = at, end = at + length;
            at = end;
            if (token.SingleWord && (EndsInWord(text[..start]) || BeginsWithWord(text[end..]))) continue;
            if (token.LeftStrip) start = Math.Max(text[..start].TrimEnd().Length, done);
            if (token.RightStrip) end = text.Length - text[end..].TrimStart().Length;
            if (start > done) into.Add((-1, piece.Slice(done, start)));
            into.Add((token.Id, piece));
            done = end;
        }
        if (done < text.Length) into.Add((-1, piece.Slice(done, text.Length)));
    }

    static bool EndsInWord(ReadOnlySpan<char> text)
    {
        Rune.DecodeLastFromUtf16(text, out var rune, out _);
        return text.Length > 0 && IsWord(rune);
    }

    static bool BeginsWithWord(ReadOnlySpan<char> text)
    {
        Rune.DecodeFromUtf16(text, out var rune, out _);
        return text.Length > 0 && IsWord(rune);
    }

    /// <summary>What <c>\w</c> means with Unicode: letters, marks, decimal digits, letter numbers, connectors, joiners, circled
    /// letters.</summary>
    static bool IsWord(Rune rune) => rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) || Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter
        or UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation;
}
