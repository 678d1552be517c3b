using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Tokenization;

namespace Recall.Tests.Mergekit;

/// <summary>Holds the tokenizer of an output against what mergekit wrote, as the README of the golden results says.</summary>
static class TokenizerComparison
{
    public static void Check(JsonObject @case, string expected, string output)
    {
        var tokenizer = @case["tokenizer"];
        switch ((string?)tokenizer?["compare"])
        {
            case "bytes":
                foreach (string file in Directory.GetFiles(expected).Where(path => !path.EndsWith(".safetensors", StringComparison.Ordinal))
                    .Select(path => Path.GetFileName(path)).Where(name => name != "config.json"))
                    Assert.Equal(File.ReadAllBytes(Path.Combine(expected, file)), File.ReadAllBytes(Path.Combine(output, file)));
                break;
            case "vocabulary":
                var (want, have) = (Json(expected), Json(output));
                Assert.Equal(Ids(want), Ids(have));
                Assert.Equal(Added(want), Added(have));
                Assert.Equal(Merges(want), Merges(have));
                Assert.Equal(Template(expected), Template(output));
                // It serves: what the new vocabulary's own tokens stand for is read as them.
                var loaded = Tokenizer.Load(Checkpoint.Open(output));
                foreach (var (token, id, _) in Added(have).Where(token => token.Content.StartsWith('<')))
                    Assert.Equal([id], loaded.Encode(token, addSpecialTokens: false));
                break;
        }
        if (tokenizer?["chat_template"] is { } template) Assert.Equal((string)template!, Template(output));
        foreach (var part in @case["chat_template_contains"] as JsonArray ?? []) Assert.Contains((string)part!, Template(output));
    }

    static JsonNode Json(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!;

    static SortedDictionary<string, int> Ids(JsonNode json)
    {
        var ids = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, id) in (JsonObject)json["model"]!["vocab"]!) ids.Add(token, (int)id!);
        foreach (var (content, id, _) in Added(json)) ids[content] = id;
        return ids;
    }

    static List<(string Content, int Id, bool Special)> Added(JsonNode json) =>
        [.. ((JsonArray)json["added_tokens"]!).Select(token => ((string)token!["content"]!, (int)token["id"]!, (bool)token["special"]!)).Order()];

    static List<string> Merges(JsonNode json) => [.. ((JsonArray)json["model"]!["merges"]!).Select(merge => merge!.ToJsonString())];

    /// <summary>Newer versions of transformers read chat_template.jinja, older ones the key of tokenizer_config.json: both must say the
    /// same.</summary>
    static string? Template(string folder)
    {
        string file = Path.Combine(folder, "chat_template.jinja"), config = Path.Combine(folder, "tokenizer_config.json");
        string? inFile = File.Exists(file) ? File.ReadAllText(file) : null;
        string? inConfig = File.Exists(config) ? (string?)JsonNode.Parse(File.ReadAllText(config))!["chat_template"] : null;
        if (inFile is not null && inConfig is not null) Assert.Equal(inFile, inConfig);
        return inFile ?? inConfig;
    }
}
