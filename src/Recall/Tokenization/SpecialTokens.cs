using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;

namespace Recall.Tokenization;

/// <summary>The special tokens that a model's files name: <c>bos</c>, <c>eos</c>, <c>pad</c>.</summary>
static class SpecialTokens
{
    /// <summary>The id of the one that the tokenizer's files name, else of that in config.json; null: none.</summary>
    public static int? Id(Checkpoint checkpoint, Tokenizer tokenizer, string name)
    {
        if (OfTokenizer(checkpoint, tokenizer, name) is { } id) return id;
        var stated = checkpoint.Config[$"{name}_token_id"];
        if (stated is JsonArray { Count: > 0 } list) stated = list[0];
        return stated is JsonValue value && value.TryGetValue(out int number) && number >= 0 ? number : null;
    }

    /// <summary>The id of the one that the tokenizer's files name; null: none.</summary>
    public static int? OfTokenizer(Checkpoint checkpoint, Tokenizer tokenizer, string name)
    {
        foreach (string file in (ReadOnlySpan<string>)["tokenizer_config.json", "special_tokens_map.json"])
        {
            var token = Root(checkpoint, file)?[$"{name}_token"];
            if (token is JsonObject described) token = described["content"];
            if (token is JsonValue text && text.TryGetValue(out string? content) && tokenizer.TokenId(content) is { } id) return id;
        }
        return null;
    }

    static JsonObject? Root(Checkpoint checkpoint, string name)
    {
        if (checkpoint.Files.FirstOrDefault(file => file.Name == name) is not { } file) return null;
        try
        {
            return JsonNode.Parse(file.Read().Span, documentOptions: new JsonDocumentOptions { MaxDepth = 64 }) as JsonObject;
        }
        catch (JsonException e)
        {
            throw new RecallException($"{file.Source ?? $"{checkpoint.Path}: {name}"}: is not valid JSON: {e.Message}", e);
        }
    }
}
