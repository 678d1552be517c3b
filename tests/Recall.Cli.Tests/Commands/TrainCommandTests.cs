using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Cli.Tests.Commands;

public class TrainCommandTests
{
    [Fact]
    public void AnAdapterLearnsItsRowsAndIsReadBack()
    {
        using var folder = new TemporaryFolder();
        string config = Write(folder, "prompt: \"{{question}}\"\nanswer: \"{{reply}}\"\n");
        var run = Session.Run("train", config);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Matches($"^{folder["adapter"]}: 60 steps over [0-9]+ rows, .* trained weights, loss .* to .*\n$", run.Out);
        Assert.Equal(0, Session.Run("inspect", folder["adapter"]).ExitCode);
        Assert.Equal(1, Session.Run("diff", folder["tiny"], $"{folder["tiny"]}+{folder["adapter"]}").ExitCode);

        using var json = JsonDocument.Parse(Session.Run("train", Write(folder, "prompt: \"{{question}}\"\nanswer: \"{{reply}}\"\n", "second"), "--json").Out);
        Assert.True(json.RootElement.GetProperty("last_loss").GetDouble() < json.RootElement.GetProperty("first_loss").GetDouble());
        Assert.Equal(File.ReadAllBytes(folder["adapter", "adapter_model.safetensors"]), File.ReadAllBytes(folder["second", "adapter_model.safetensors"]));
    }

    [Fact]
    public void AFieldThatIsNotThereIsNamedAndNothingIsWritten()
    {
        using var folder = new TemporaryFolder();
        var run = Session.Run("train", Write(folder, ""));
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("field 'prompt'", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["adapter"]));
    }

    [Fact]
    public void AStoppedTrainingLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        string config = Write(folder, "prompt: \"{{question}}\"\nanswer: \"{{reply}}\"\n");
        Assert.Equal(130, Session.Run(screen => screen, new CancellationToken(canceled: true), "train", config).ExitCode);
        Assert.False(Directory.Exists(folder["adapter"]));
    }

    static string Write(TemporaryFolder folder, string templates, string output = "adapter")
    {
        TinyModel.Write(folder["tiny"], 1);
        var vocabulary = new JsonObject("abcdefghijkl".Select((letter, id) => KeyValuePair.Create(letter.ToString(), (JsonNode?)id)));
        var tokenizer = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        };
        File.WriteAllText(folder["tiny", "tokenizer.json"], tokenizer.ToJsonString());
        File.WriteAllLines(folder["rows.jsonl"],
            new[] { ("abc", "cba"), ("de", "ed"), ("fgh", "hgf"), ("ij", "ji") }.Select(row => $$"""{"question": "{{row.Item1}}", "reply": "{{row.Item2}}"}"""));
        File.WriteAllText(folder["train.yaml"], $$"""
            model: {{folder["tiny"]}}
            data: {{folder["rows.jsonl"]}}
            output: {{folder[output]}}
            lora: {r: 4}
            steps: 60
            batch_size: 4
            learning_rate: 0.02
            {{templates}}
            """);
        return folder["train.yaml"];
    }
}
