using System.Collections.Immutable;
using System.Text.Json;
using Recall.Checkpoints;

namespace Recall.Tokenization;

/// <summary>
/// The tokens of a tokenizer.json of any kind, with their ids: as much of it as merging vocabularies takes. Whether Recall can use it to
/// read text
/// does not matter here.
/// </summary>
sealed class TokenizerFile
{
    readonly Vocabulary _model;
    readonly Vocabulary _added = new();

    TokenizerFile(ReadOnlyMemory<byte> json, JsonPart root)
    {
        (Json, Where) = (json, root.Where);
        var vocabulary = root.Get("model").Get("vocab");
        _model = vocabulary.Element.ValueKind == JsonValueKind.Array ? Pieces(vocabulary) : Vocabulary.Read(vocabulary);
        var added = ImmutableArray.CreateBuilder<AddedToken>();
        foreach (var item in root.Find("added_tokens")?.Items ?? [])
        {
            if (AddedToken.Read(item, _model) is not { } token) continue;
            if (!_added.TryAdd(token.Content, token.Id))
                throw item.Error($"token {Quoted.Of(token.Content)}, or its id {token.Id}, stands twice");
            added.Add(token);
        }
        Added = [.. added.OrderBy(token => token.Id)];
        Size = Math.Max(_model.Size, _added.Size);
        int known = Tokens.Count();
        if (Size > 2L * known + 4096) throw root.Error($"has {known} tokens, but ids up to {Size - 1}: the file is damaged");
    }

    /// <summary>The file's bytes.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>What messages begin with.</summary>
    public string Where { get; }

    /// <summary>The added tokens, by id.</summary>
    public ImmutableArray<AddedToken> Added { get; }

    /// <summary>Largest id + 1; ids below may be without a token.</summary>
    public int Size { get; }

    /// <summary>All tokens with their ids, ascending.</summary>
    public IEnumerable<(string Token, int Id)> Tokens
    {
        get
        {
            for (int id = 0; id < Size; id++)
                if (TokenOf(id) is { } token) yield return (token, id);
        }
    }

    /// <summary>The id of a token; null where there is none.</summary>
    public int? IdOf(string token) => _added.Id(token) ?? _model.Id(token);

    /// <summary>The token of an id; null where there is none.</summary>
    public string? TokenOf(int id) => _added.TryGetToken(id, out var token) || _model.TryGetToken(id, out token) ? token : null;

    /// <summary>True for an added token.</summary>
    public bool IsAdded(string token) => _added.Id(token) is not null;

    /// <summary>The tokens of a model; null where it has no tokenizer at all.</summary>
    /// <exception cref="RecallException">Broken, or there only in a form that Recall does not read.</exception>
    public static TokenizerFile? Find(IReadOnlyList<CheckpointFile> files, string model)
    {
        if (files.FirstOrDefault(file => file.Name == "tokenizer.json") is { } file)
            return Parse(file.Read(), file.Source ?? $"{model}: tokenizer.json");
        var other = files.FirstOrDefault(each => TokenizerFiles.OfVocabulary.Contains(each.Name));
        return other is null ? null : throw new RecallException(
            $"{model}: has {other.Name}, but Recall reads tokenizer.json; save it from transformers once with "
            + "AutoTokenizer.from_pretrained(…).save_pretrained(…)");
    }

    /// <summary>Reads a tokenizer.json.</summary>
    /// <exception cref="RecallException">Not JSON, or broken.</exception>
    public static TokenizerFile Parse(ReadOnlyMemory<byte> json, string where)
    {
        if (json.Span.StartsWith("\uFEFF"u8)) json = json[3..];
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 64 });
            return new TokenizerFile(json, new JsonPart(document.RootElement, where, ""));
        }
        catch (JsonException e)
        {
            throw new RecallException($"{where}: is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>Unigram's list of tokens with scores: the id is the place.</summary>
    static Vocabulary Pieces(JsonPart part)
    {
        var vocabulary = new Vocabulary();
        int id = 0;
        foreach (var item in part.Items)
        {
            string token = item.Items.FirstOrDefault() is { Element.ValueKind: JsonValueKind.String } first
                ? first.Text : throw item.Error("a token and its score are expected here");
            if (!vocabulary.TryAdd(token, id++)) throw item.Error($"token {Quoted.Of(token)} stands twice");
        }
        return vocabulary;
    }
}
