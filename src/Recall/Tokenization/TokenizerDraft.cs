using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using Recall.Tokenization.Models;

namespace Recall.Tokenization;

/// <summary>
/// A tokenizer.json in the making: that of one model, without the tokens from some id on, with further added tokens behind. Ids never
/// change;
/// everything else stays as it was written.
/// </summary>
sealed class TokenizerDraft
{
    static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly Dictionary<string, AddedToken> _added;
    readonly int _kept;

    /// <param name="start">The tokenizer it begins with.</param>
    /// <param name="kept">Tokens with ids from here on are left out.</param>
    public TokenizerDraft(TokenizerFile start, int kept = int.MaxValue)
    {
        (Start, _kept) = (start, kept);
        _added = start.Added.Where(token => token.Id < kept).ToDictionary(token => token.Content, StringComparer.Ordinal);
        Size = start.Tokens.Where(token => token.Id < kept).Select(token => token.Id + 1).LastOrDefault();
    }

    /// <summary>The tokenizer it began with.</summary>
    public TokenizerFile Start { get; }

    /// <summary>Largest id + 1.</summary>
    public int Size { get; private set; }

    /// <summary>True where tokens of the start are left out.</summary>
    public bool IsCut => _kept < Start.Size;

    /// <summary>True where it differs from the start.</summary>
    public bool IsChanged => IsCut || !Added.SequenceEqual(Start.Added);

    /// <summary>The added tokens, by id.</summary>
    public IEnumerable<AddedToken> Added => _added.Values.OrderBy(token => token.Id);

    /// <summary>All tokens by id; null for ids without one.</summary>
    public ImmutableArray<string?> Tokens
    {
        get
        {
            var tokens = new string?[Size];
            foreach (var (token, id) in Start.Tokens.TakeWhile(token => token.Id < _kept)) tokens[id] = token;
            foreach (var token in _added.Values) tokens[token.Id] = token.Content;
            return [.. tokens];
        }
    }

    /// <summary>The id of a token; null where there is none.</summary>
    public int? IdOf(string token) =>
        _added.TryGetValue(token, out var added) ? added.Id : Start.IdOf(token) is { } id && id < _kept ? id : null;

    /// <summary>The added token of that content, or null.</summary>
    public AddedToken? FindAdded(string token) => _added.TryGetValue(token, out var added) ? added : null;

    /// <summary>True for a token of the start that is left out.</summary>
    public bool IsLeftOut(string token) => IsCut && Start.IdOf(token) is not null && IdOf(token) is null;

    /// <summary>Makes a token an added one with these settings: under its id where it is there, else under the next.</summary>
    public void Add(AddedToken token)
    {
        int id = IdOf(token.Content) ?? Size;
        if (id > Vocabulary.LargestId) throw new RecallException($"{Start.Where}: has too many tokens to add {Quoted.Of(token.Content)}");
        _added[token.Content] = token with { Id = id };
        Size = Math.Max(Size, id + 1);
    }

    /// <summary>The text of the file.</summary>
    /// <exception cref="RecallException">The tokenizer cannot do without a token that is left out.</exception>
    public byte[] Write()
    {
        try
        {
            return WriteFile();
        }
        catch (InvalidOperationException e)
        {
            throw new RecallException($"{Start.Where}: holds half of a surrogate pair, which is no text", e);
        }
    }

    byte[] WriteFile()
    {
        using var document = JsonDocument.Parse(Start.Json, new JsonDocumentOptions { MaxDepth = 64 });
        using var buffer = new MemoryStream(Start.Json.Length + 4096);
        using (var writer = new Utf8JsonWriter(buffer, Indented))
        {
            writer.WriteStartObject();
            var root = new JsonPart(document.RootElement, Start.Where, "");
            bool listed = false;
            foreach (var (key, part) in root.Properties)
            {
                if (key is "post_processor" or "padding" && IsCut) CheckMentions(part);
                writer.WritePropertyName(key);
                listed |= key == "added_tokens";
                if (key == "added_tokens") WriteAdded(writer);
                else if (key == "model" && IsCut) WriteModel(writer, part);
                else part.Element.WriteTo(writer);
            }
            if (!listed)
            {
                writer.WritePropertyName("added_tokens");
                WriteAdded(writer);
            }
            writer.WriteEndObject();
        }
        return buffer.ToArray();
    }

    void WriteAdded(Utf8JsonWriter writer)
    {
        writer.WriteStartArray();
        foreach (var token in Added)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", token.Id);
            writer.WriteString("content", token.Content);
            writer.WriteBoolean("single_word", token.SingleWord);
            writer.WriteBoolean("lstrip", token.LeftStrip);
            writer.WriteBoolean("rstrip", token.RightStrip);
            writer.WriteBoolean("normalized", token.Normalized);
            writer.WriteBoolean("special", token.Special);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    void WriteModel(Utf8JsonWriter writer, JsonPart model)
    {
        int prefix = model.FindText("continuing_subword_prefix")?.Length ?? 0;
        if (model.FindText("unk_token") is { } unknown && IsLeftOut(unknown)) throw Needed(model.Get("unk_token"), unknown);
        if (model.Find("unk_id") is { } number && number.Id >= _kept) throw Needed(number, Start.TokenOf(number.Id) ?? "");
        writer.WriteStartObject();
        foreach (var (key, part) in model.Properties)
        {
            writer.WritePropertyName(key);
            if (key == "vocab" && part.Element.ValueKind == JsonValueKind.Array)
            {
                writer.WriteStartArray();
                foreach (var item in part.Items.Take(_kept)) item.Element.WriteTo(writer);
                writer.WriteEndArray();
            }
            else if (key == "vocab")
            {
                writer.WriteStartObject();
                foreach (var (token, id) in part.Properties)
                    if (id.Id < _kept) writer.WriteNumber(token, id.Id);
                writer.WriteEndObject();
            }
            else if (key == "merges")
            {
                writer.WriteStartArray();
                foreach (var item in part.Items.Where(item => !MergesLeftOut(item, prefix))) item.Element.WriteTo(writer);
                writer.WriteEndArray();
            }
            else
            {
                part.Element.WriteTo(writer);
            }
        }
        writer.WriteEndObject();
    }

    bool MergesLeftOut(JsonPart item, int prefix)
    {
        if (item.Element.ValueKind == JsonValueKind.String && item.Text.StartsWith("#version", StringComparison.Ordinal)) return false;
        var (left, right) = MergeTable.Pair(item);
        return IsLeftOut(left) || IsLeftOut(right) || IsLeftOut(string.Concat(left, right.AsSpan(Math.Min(prefix, right.Length))));
    }

    /// <summary>A post-processor puts tokens around a text, padding behind it: they must be there.</summary>
    void CheckMentions(JsonPart part)
    {
        if (part.Element.ValueKind != JsonValueKind.Object) return;
        foreach (var (key, value) in part.Properties)
        {
            IEnumerable<string> tokens = key switch
            {
                "special_tokens" => value.Properties.Select(token => token.Key),
                "sep" or "cls" => value.Items.Take(1).Select(token => token.Text),
                "pad_token" => [value.Text],
                _ => [],
            };
            if (tokens.FirstOrDefault(IsLeftOut) is { } needed) throw Needed(value, needed);
            if (key == "processors")
                foreach (var item in value.Items) CheckMentions(item);
        }
    }

    RecallException Needed(JsonPart part, string token) => part.Error(
        $"names token {Quoted.Of(token)}, whose id {Start.IdOf(token)} is beyond the model's vocab_size {_kept}: "
        + "the tokenizer does not belong to the model");
}
