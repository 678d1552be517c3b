using System.Text.Json.Nodes;

namespace Recall.Cli.Tests.Examples;

/// <summary>
/// Models of one family: seed 0 is the base, the others differ from it a little. The vocabulary is the base's, with tokens of their own in the
/// last places: &lt;|sep|&gt; and &lt;|pad|&gt; in the first, &lt;|sep|&gt; and &lt;|call|&gt; in the others.
/// </summary>
static class ExampleModel
{
    const string Letters = "abcdefghijkl";

    public static void Write(string folder, int seed, int layers)
    {
        var origin = TinyModel.Values(0, layers);
        TinyModel.Write(folder, seed, tensors =>
        {
            if (seed == 0) return;
            foreach (var (name, (_, values)) in tensors)
                for (int i = 0; i < values.Length; i++) values[i] = origin[name].Values[i] + 0.2f * values[i];
        }, layers);
        string[] own = seed switch { 0 => [], 1 => ["<|sep|>", "<|pad|>"], _ => ["<|sep|>", "<|call|>"] };
        var vocabulary = Letters[..^own.Length].Select((letter, id) => KeyValuePair.Create(letter.ToString(), (JsonNode?)id));
        var added = own.Select((token, i) => (JsonNode)new JsonObject
        {
            ["id"] = Letters.Length - own.Length + i, ["content"] = token, ["special"] = true,
            ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false,
        });
        var tokenizer = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([.. added]),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = new JsonObject(vocabulary), ["merges"] = new JsonArray() },
        };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), tokenizer.ToJsonString());
    }

    /// <summary>Token → id of a folder's tokenizer.</summary>
    public static Dictionary<string, int> Ids(string folder)
    {
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!;
        var ids = json["model"]!["vocab"]!.AsObject().ToDictionary(entry => entry.Key, entry => (int)entry.Value!);
        foreach (var token in json["added_tokens"]!.AsArray()) ids[(string)token!["content"]!] = (int)token["id"]!;
        return ids;
    }
}
