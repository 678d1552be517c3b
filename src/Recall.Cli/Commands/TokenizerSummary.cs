using System.Text.Json;
using Recall.Checkpoints;

namespace Recall.Cli.Commands;

/// <summary>What tokenizer.json says of itself.</summary>
sealed record TokenizerSummary(string File, string? Type, int? Vocabulary, int? AddedTokens, bool ChatTemplate)
{
    static readonly string[] Known =
    [
        "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt",
    ];

    public static TokenizerSummary? Of(Checkpoint model)
    {
        var file = Known.Select(name => model.Files.FirstOrDefault(file => file.Name == name)).FirstOrDefault(file => file is not null);
        if (file is null) return null;
        var config = model.Files.FirstOrDefault(file => file.Name == "tokenizer_config.json");
        bool template = model.Files.Any(file => file.Name == "chat_template.jinja")
            || (config is not null && Has(Parse(config), "chat_template"));
        if (file.Name != "tokenizer.json") return new TokenizerSummary(file.Name, null, null, null, template);
        var root = Parse(file);
        var inner = Property(root, "model");
        string? type = Property(inner, "type") is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        int? vocabulary = Property(inner, "vocab") switch
        {
            { ValueKind: JsonValueKind.Object } map => map.GetPropertyCount(),
            { ValueKind: JsonValueKind.Array } list => list.GetArrayLength(),
            _ => null,
        };
        int? added = Property(root, "added_tokens") is { ValueKind: JsonValueKind.Array } tokens ? tokens.GetArrayLength() : null;
        return new TokenizerSummary(file.Name, type, vocabulary, added, template);
    }

    static bool Has(JsonElement? element, string name) => Property(element, name) is { ValueKind: not JsonValueKind.Null };

    static JsonElement? Property(JsonElement? element, string name) =>
        element is { ValueKind: JsonValueKind.Object } inner && inner.TryGetProperty(name, out var value) ? value : null;

    static JsonElement Parse(CheckpointFile file)
    {
        try
        {
            using var document = JsonDocument.Parse(file.Read());
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new RecallException($"{file.Source ?? file.Name}: is not valid JSON: {e.Message}", e);
        }
    }
}
