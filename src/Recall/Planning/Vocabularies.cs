using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;

namespace Recall.Planning;

/// <summary>Whether the models read text as the same token ids.</summary>
static class Vocabularies
{
    /// <summary>Compares every model's vocabulary with the first one's.</summary>
    /// <param name="models">The models.</param>
    /// <param name="mustAgree">True: a difference is an error, since all models read the same ids; false: it is noted.</param>
    public static IEnumerable<string> Compare(ImmutableArray<OpenedModel> models, bool mustAgree)
    {
        var first = models.FirstOrDefault(model => File(model) is not null);
        if (first is null) yield break;
        byte[] bytes = File(first)!.Read().ToArray();
        SortedDictionary<string, int>? ids = null;
        foreach (var model in models)
        {
            if (File(model) is not { } file || ReferenceEquals(model, first)) continue;
            var other = file.Read();
            if (other.Span.SequenceEqual(bytes)) continue;
            ids ??= Ids(bytes, first);
            var otherIds = Ids(other, model);
            var (token, id) = ids.Except(otherIds).Concat(otherIds.Except(ids)).FirstOrDefault();
            if (token is null) continue;
            string what = $"the tokenizers of {first.Name} and {model.Name} differ: token {Quoted.Of(token)} is {Told(ids, token)} in the first, "
                + $"{Told(otherIds, token)} in the second";
            if (mustAgree) throw new RecallException($"{what}; the method recall compares what models make of the same tokens");
            yield return $"{what}; rows of the embeddings are merged by number, not by token (tokenizer_source: union aligns them)";
        }
    }

    static CheckpointFile? File(OpenedModel model) => model.Checkpoint.Files.FirstOrDefault(file => file.Name == "tokenizer.json");

    static string Told(SortedDictionary<string, int> ids, string token) => ids.TryGetValue(token, out int id) ? $"number {id}" : "missing";

    static SortedDictionary<string, int> Ids(ReadOnlyMemory<byte> json, OpenedModel model)
    {
        var ids = new SortedDictionary<string, int>(StringComparer.Ordinal);
        try
        {
            var root = JsonNode.Parse(json.Span, documentOptions: new JsonDocumentOptions { MaxDepth = 64 });
            if (root?["model"]?["vocab"] is JsonObject vocabulary)
                foreach (var (token, id) in vocabulary) ids[token] = (int?)id ?? -1;
            else if (root?["model"]?["vocab"] is JsonArray pieces)
                for (int i = 0; i < pieces.Count; i++) ids[(string?)pieces[i]?[0] ?? ""] = i;
            foreach (var added in root?["added_tokens"] as JsonArray ?? []) ids[(string?)added?["content"] ?? ""] = (int?)added?["id"] ?? -1;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new RecallException($"{model.Name}: tokenizer.json cannot be read: {e.Message}", e);
        }
        return ids;
    }
}
