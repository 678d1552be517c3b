using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Cli.Tests.Commands;

public class LayerWeightCommandsTests
{
    [Fact]
    public void AMergeWithTheWeightsOfWeightsGivesTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        string config = WriteRecall(folder);
        var weights = Session.Run("weights", config, "--out", folder["weights.json"]);
        Assert.Equal(0, weights.ExitCode);
        Assert.Equal($"written to {folder["weights.json"]}\n", weights.Error);
        Assert.Equal(2 + TinyModel.Layers, weights.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);

        var direct = Session.Run("merge", config, folder["direct"]);
        Assert.Equal((0, ""), (direct.ExitCode, direct.Error));
        Assert.StartsWith(weights.Out, direct.Out, StringComparison.Ordinal);
        Assert.Equal(0, Session.Run("merge", config, folder["again"], "--weights", folder["weights.json"]).ExitCode);
        Assert.Equal(File.ReadAllBytes(folder["direct", "model.safetensors"]), File.ReadAllBytes(folder["again", "model.safetensors"]));
    }

    [Fact]
    public void ScriptsGetWhatTheFileHolds()
    {
        using var folder = new TemporaryFolder();
        string config = WriteRecall(folder);
        var run = Session.Run("weights", config, "--out", folder["weights.json"], "--json");
        Assert.Equal(File.ReadAllText(folder["weights.json"]), run.Out);
        var layers = JsonNode.Parse(run.Out)!["layers"]!.AsArray();
        Assert.Equal(TinyModel.Layers + 1, layers.Count);
        Assert.All(layers, layer => Assert.Equal(1, layer!["weights"]!.AsArray().Sum(weight => (double)weight!), 1e-9));
    }

    [Fact]
    public void SelectedSamplesAreTakenAsTheyAre()
    {
        using var folder = new TemporaryFolder();
        string config = WriteRecall(folder);
        var run = Session.Run("select", config, "--out", folder["chosen.jsonl"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.EndsWith($"{folder["chosen.jsonl"]}: 4 of 12 texts\n", run.Out, StringComparison.Ordinal);
        var rows = File.ReadLines(folder["chosen.jsonl"]).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(4, rows.Count);
        Assert.Equal(12, rows.Sum(row => (int)row["cluster_size"]!));

        File.WriteAllText(folder["again.yaml"], File.ReadAllText(config).Replace("samples.jsonl", "chosen.jsonl"));
        Assert.Equal(0, Session.Run("weights", config, "--out", folder["a.json"]).ExitCode);
        Assert.Equal(0, Session.Run("weights", folder["again.yaml"], "--out", folder["b.json"]).ExitCode);
        Assert.Equal(File.ReadAllText(folder["a.json"]), File.ReadAllText(folder["b.json"]));
        using var chosen = JsonDocument.Parse(Session.Run("select", folder["again.yaml"], "--out", folder["c.jsonl"], "--json").Out);
        Assert.Equal(rows.Select(row => (int)row["row"]!), chosen.RootElement.EnumerateArray().Select(sample => sample.GetProperty("row").GetInt32()));
    }

    [Fact]
    public void APlanFindsThatThereAreNoSamples()
    {
        using var folder = new TemporaryFolder();
        string config = WriteRecall(folder);
        Assert.Matches("(?m)^samples +4 of 12 texts$", Session.Run("plan", config, "--no-probe").Out);
        File.Delete(folder["samples.jsonl"]);
        var run = Session.Run("plan", config, "--no-probe");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("samples.jsonl", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AConfigWithoutLayerWeightsSaysSo()
    {
        using var folder = new TemporaryFolder();
        var run = Session.Run("weights", MergeCommandTests.WriteLinear(folder));
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("merge.yaml:1:15 merge_method: the method linear has neither samples nor layer weights", run.Error, StringComparison.Ordinal);
    }

    static string WriteRecall(TemporaryFolder folder)
    {
        TinyModel.Write(folder["a"], 1);
        TinyModel.Write(folder["b"], 1, tensors => Shift(tensors, 0.02f));
        TinyModel.Write(folder["c"], 1, tensors => Shift(tensors, -0.03f));
        var random = new Random(5);
        File.WriteAllLines(folder["samples.jsonl"], Enumerable.Range(0, 12).Select(_ =>
            $$"""{"ids": [{{string.Join(", ", Enumerable.Range(0, 6).Select(_ => random.Next(TinyModel.Vocabulary)))}}], "text": "{{random.Next(1000)}}"}"""));
        File.WriteAllText(folder["recall.yaml"], $$"""
            merge_method: recall
            models: [{model: {{folder["a"]}}}, {model: {{folder["b"]}}}, {model: {{folder["c"]}}}]
            recall: {samples: {{folder["samples.jsonl"]}}, count: 4, temperature: 0.1}
            """);
        return folder["recall.yaml"];
    }

    static void Shift(Dictionary<string, (int[] Shape, float[] Values)> tensors, float by)
    {
        foreach (var (_, values) in tensors.Values)
            for (int i = 0; i < values.Length; i++) values[i] += by * (i % 3 - 1);
    }
}
