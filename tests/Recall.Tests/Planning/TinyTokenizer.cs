using System.Text.Json.Nodes;

namespace Recall.Tests.Planning;

/// <summary>Gives a model a tokenizer: letters as its own tokens, and added tokens behind them.</summary>
static class TinyTokenizer
{
    /// <summary>Writes tokenizer.json and tokenizer_config.json; the ids are those of the order.</summary>
    public static string Write(string folder, string letters, params string[] added)
    {
        var vocabulary = new JsonObject();
        foreach (char letter in letters) vocabulary.Add(letter.ToString(), vocabulary.Count);
        var json = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([.. added.Select((token, i) => (JsonNode)new JsonObject
            {
                ["id"] = letters.Length + i,
                ["content"] = token,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            })]),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json.ToJsonString());
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"tokenizer_class":"PreTrainedTokenizerFast"}""");
        return folder;
    }
}
