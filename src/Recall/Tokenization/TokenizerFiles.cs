using System.Collections.Immutable;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;

namespace Recall.Tokenization;

/// <summary>The files of a tokenizer beside tokenizer.json: which there are, and what a new vocabulary or chat template makes of
/// them.</summary>
static class TokenizerFiles
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    /// <summary>Other forms of the vocabulary: they do not follow when it changes.</summary>
    public static readonly ImmutableArray<string> OfVocabulary =
        ["tokenizer.model", "vocab.json", "merges.txt", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"];

    static readonly ImmutableArray<string> Others =
        ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"];

    /// <summary>True for a file of the tokenizer.</summary>
    public static bool Has(string name) => Others.Contains(name) || OfVocabulary.Contains(name);

    /// <summary>The tokenizer files of a model with another vocabulary, or another chat template; byte for byte where neither changes
    /// them.</summary>
    /// <param name="files">The model's.</param>
    /// <param name="draft">The vocabulary; null: the model's own.</param>
    /// <param name="chatTemplate">The template; null: the model's own.</param>
    public static IEnumerable<CheckpointFile> Make(IEnumerable<CheckpointFile> files, TokenizerDraft? draft, string? chatTemplate)
    {
        if (draft is { IsChanged: false }) draft = null;
        foreach (var file in files.Where(file => Has(file.Name)))
        {
            if (draft is not null && OfVocabulary.Contains(file.Name)) continue;
            if (chatTemplate is not null && file.Name == "chat_template.jinja") continue;
            yield return file.Name switch
            {
                "tokenizer.json" when draft is not null => new CheckpointFile(file.Name, null, draft.Write()),
                "added_tokens.json" when draft is not null => Made(file.Name, AddedTokens(draft)),
                "special_tokens_map.json" when draft is { IsCut: true } => Made(file.Name, Config(file, draft, null)),
                "tokenizer_config.json" when draft is not null || chatTemplate is not null =>
                    Made(file.Name, Config(file, draft, chatTemplate)),
                _ => file,
            };
        }
        // Newer versions of transformers read this file, older ones and other programs the key of tokenizer_config.json.
        if (chatTemplate is not null) yield return new CheckpointFile("chat_template.jinja", null, Encoding.UTF8.GetBytes(chatTemplate));
    }

    /// <summary>A JSON object of a file beside the weights.</summary>
    /// <exception cref="RecallException">Not JSON, or no object.</exception>
    public static JsonObject ReadObject(CheckpointFile file)
    {
        string where = file.Source ?? file.Name;
        try
        {
            return JsonNode.Parse(file.Read().Span, documentOptions: Strict) as JsonObject
                ?? throw new RecallException($"{where}: must hold a JSON object");
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new RecallException($"{where}: is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>A file made in memory.</summary>
    public static CheckpointFile Made(string name, JsonObject json) =>
        new(name, null, Encoding.UTF8.GetBytes(json.ToJsonString(Indented) + "\n"));

    static JsonObject AddedTokens(TokenizerDraft draft) =>
        new(draft.Added.Select(token => KeyValuePair.Create(token.Content, (JsonNode?)token.Id)));

    static JsonObject Config(CheckpointFile file, TokenizerDraft? draft, string? chatTemplate)
    {
        var config = ReadObject(file);
        if (chatTemplate is not null) config["chat_template"] = chatTemplate;
        if (draft is null) return config;
        foreach (string key in config.Select(entry => entry.Key).Where(key => key.EndsWith("_token", StringComparison.Ordinal)).ToList())
            if (Content(config[key]) is { } token && draft.IsLeftOut(token)) config.Remove(key);
        if (config["additional_special_tokens"] is JsonArray list)
            foreach (var item in list.Where(item => Content(item) is { } token && draft.IsLeftOut(token)).ToList()) list.Remove(item);
        if (config["added_tokens_decoder"] is JsonObject) config["added_tokens_decoder"] = Decoder(draft);
        return config;
    }

    static string? Content(JsonNode? token) =>
        (token is JsonObject settings ? settings["content"] : token) is JsonValue value && value.TryGetValue(out string? content)
            ? content : null;

    static JsonObject Decoder(TokenizerDraft draft) => new(draft.Added.Select(token => KeyValuePair.Create(
        token.Id.ToString(System.Globalization.CultureInfo.InvariantCulture), (JsonNode?)new JsonObject
        {
            ["content"] = token.Content,
            ["lstrip"] = token.LeftStrip,
            ["normalized"] = token.Normalized,
            ["rstrip"] = token.RightStrip,
            ["single_word"] = token.SingleWord,
            ["special"] = token.Special,
        })));
}
