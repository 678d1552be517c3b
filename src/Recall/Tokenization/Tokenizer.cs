using System.Text;
using System.Text.Json;
using Recall.Checkpoints;
using Recall.Tokenization.Models;

namespace Recall.Tokenization;

/// <summary>
/// A tokenizer.json, ready to use: text to ids and back, as Hugging Face's tokenizers does. Its <c>truncation</c> and <c>padding</c>
/// sections are not
/// applied. May be used from several threads at once.
/// </summary>
public sealed class Tokenizer
{
    readonly Normalizer? _normalizer;
    readonly IReadOnlyList<PreTokenizer> _preTokenizers;
    readonly TokenModel _model;
    readonly AddedTokens _added;
    readonly PostProcessor _postProcessor;
    readonly Decoder _decoder;

    Tokenizer(JsonPart root)
    {
        _normalizer = Normalizers.Read(root.Find("normalizer"));
        (_preTokenizers, bool mapsBytes) = PreTokenizers.Read(root.Find("pre_tokenizer"));
        _model = TokenModel.Create(root.Get("model"), mapsBytes);
        _added = AddedTokens.Read(root.Find("added_tokens"), _model.Vocabulary, _normalizer);
        _postProcessor = PostProcessor.Read(root.Find("post_processor"));
        _decoder = Decoders.Read(root.Find("decoder"));
        VocabularySize = Math.Max(_model.Vocabulary.Size, _added.Vocabulary.Size);
    }

    /// <summary>Largest id + 1: the rows that an embedding needs. Ids below may be without a token.</summary>
    public int VocabularySize { get; }

    /// <summary>The tokenizer of a model, from its tokenizer.json.</summary>
    /// <exception cref="RecallException">The model has none, it is broken, or it is of a kind that Recall does not know, which is
    /// named.</exception>
    public static Tokenizer Load(Checkpoint checkpoint)
    {
        if (checkpoint.Files.FirstOrDefault(file => file.Name == "tokenizer.json") is { } file)
            return Parse(file.Read(), file.Source ?? $"{checkpoint.Path}: tokenizer.json");
        string? other = checkpoint.Files.Select(file => file.Name)
            .FirstOrDefault(name =>
                name is "tokenizer.model" or "spiece.model" or "sentencepiece.bpe.model" or "vocab.json" or "vocab.txt");
        throw new RecallException(other is null
            ? $"{checkpoint.Path}: has no tokenizer.json; copy the tokenizer of its base model beside it"
            : $"{checkpoint.Path}: has {other}, but Recall reads tokenizer.json; save it from transformers once with "
                + "AutoTokenizer.from_pretrained(…).save_pretrained(…)");
    }

    /// <summary>Reads the text of a tokenizer.json; <paramref name="where"/> stands in messages.</summary>
    /// <exception cref="RecallException">Not JSON, broken, or of a kind that Recall does not know, which is named.</exception>
    public static Tokenizer Parse(ReadOnlyMemory<byte> tokenizerJson, string where)
    {
        if (tokenizerJson.Span.StartsWith("\uFEFF"u8)) tokenizerJson = tokenizerJson[3..];
        try
        {
            using var document = JsonDocument.Parse(tokenizerJson, new JsonDocumentOptions { MaxDepth = 64 });
            return new Tokenizer(new JsonPart(document.RootElement, where, ""));
        }
        catch (JsonException e)
        {
            throw new RecallException($"{where}: is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>The ids of a text. Special tokens inside the text are recognised either way.</summary>
    /// <param name="text">Halves of surrogate pairs count as U+FFFD.</param>
    /// <param name="addSpecialTokens">Adds what the post-processor puts around a text: BOS, EOS.</param>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        var ids = new List<int>(text.Length / 3 + 4);
        if (addSpecialTokens) ids.AddRange(_postProcessor.Before);
        text = WellFormed(text);
        var raw = new List<(int Id, Piece Piece)>();
        _added.Split(new Piece(text, 0, text.Length, AtStart: true), normalized: false, raw);
        foreach (var (id, piece) in raw)
        {
            if (id >= 0) ids.Add(id);
            else EncodeBetween(piece, ids);
        }
        if (addSpecialTokens) ids.AddRange(_postProcessor.After);
        return [.. ids];
    }

    void EncodeBetween(Piece piece, List<int> ids)
    {
        if (_normalizer is not null)
        {
            string normalized = _normalizer(piece.Span.ToString());
            piece = new Piece(normalized, 0, normalized.Length, piece.AtStart);
        }
        var parts = new List<(int Id, Piece Piece)>();
        _added.Split(piece, normalized: true, parts);
        foreach (var (id, part) in parts)
        {
            if (id >= 0)
            {
                ids.Add(id);
                continue;
            }
            List<Piece> words = [part], next = [];
            foreach (var step in _preTokenizers)
            {
                next.Clear();
                foreach (var word in words) step.Split(word, next);
                (words, next) = (next, words);
            }
            foreach (var word in words) _model.Encode(word.Span, ids);
        }
    }

    /// <summary>The text of ids, made by the file's decoder. Ids without a token are left out.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Leaves out the tokens that the file marks as special.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var tokens = new List<string>(ids.Length);
        foreach (int id in ids)
            if ((_added.Decoded(id) ?? TokenOf(id)) is { } token && !(skipSpecialTokens && _added.IsSpecial(token))) tokens.Add(token);
        return string.Concat(_decoder(tokens));
    }

    /// <summary>The id of a token, as it stands in the file; null where there is none.</summary>
    public int? TokenId(string token) => _added.Vocabulary.Id(token) ?? _model.Vocabulary.Id(token);

    /// <summary>The token of an id, as it stands in the file (byte-level tokens in GPT-2's alphabet); null where there is none.</summary>
    public string? TokenOf(int id) => _added.Vocabulary.TryGetToken(id, out var token) || _model.Vocabulary.TryGetToken(id, out token)
        ? token : null;

    /// <summary>Whether the file marks the token of an id as special.</summary>
    public bool IsSpecial(int id) => TokenOf(id) is { } token && _added.IsSpecial(token);

    static string WellFormed(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')) return text;
        var whole = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) whole.Append(rune);
        return whole.ToString();
    }
}
