using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Tests.Merging;

/// <summary>examples/five-experts.yaml, with the layer weights that PyTorch found, against the checkpoint that PyTorch merged with them.</summary>
public sealed class FiveExpertsTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    [Fact]
    public void TheMergedCheckpointIsThatOfTheReference()
    {
        string golden = Fixtures.Shared("golden", "recall", "smollm2");
        string text = File.ReadAllText(Fixtures.InRepository("examples", "five-experts.yaml"))
            .Replace("models/", Fixtures.Shared("models") + "/").Replace("adapters/", Fixtures.Shared("adapters") + "/")
            .Replace("typical.jsonl", Path.Combine(golden, "samples.jsonl"));
        var config = MergeConfig.Parse(text, "five-experts.yaml");
        var reference = JsonNode.Parse(File.ReadAllText(Path.Combine(golden, "weights.json")))!;
        File.WriteAllText(_folder["weights.json"], new JsonObject
        {
            ["models"] = new JsonArray([.. config.Models.Select(entry => (JsonNode)entry.Model.ToString())]),
            ["reference"] = config.ReferenceModel!.ToString(),
            ["samples"] = new JsonArray(),
            ["layers"] = new JsonArray([.. reference["weights"]!["rbf@T=1.0"]!.AsArray().Select((weights, layer) => (JsonNode)new JsonObject
            {
                ["layer"] = layer,
                ["bandwidth"] = reference["bandwidth"]![layer]!.DeepClone(),
                ["similarity"] = reference["similarity"]!["rbf"]![layer]!.DeepClone(),
                ["weights"] = weights!.DeepClone(),
            })]),
        }.ToJsonString());

        MergeRun.Run(config, new MergeOptions { Output = _folder["out"], WeightsFile = _folder["weights.json"] });

        var merged = Checkpoint.Open(_folder["out"]);
        string[] files = ["README.md", "config.json", "generation_config.json", "mergekit_config.yml", "model.safetensors", "recall.json", "tokenizer.json", "tokenizer_config.json"];
        Assert.Equal(files, Directory.GetFiles(_folder["out"]).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(golden, "merged-bf16.json")))!.AsObject();
        Assert.Equal(expected.Select(entry => entry.Key).Order(StringComparer.Ordinal), merged.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        foreach (var (name, figures) in expected)
        {
            var tensor = merged.Find(name)!;
            var values = new float[tensor.Shape.Elements];
            tensor.Read(new TileReader(), 0, values);
            double length = Math.Sqrt(values.Sum(value => (double)value * value));
            Assert.Equal((double)figures!["l2"]!, length, 1e-4 * length);
            Assert.Equal((double)figures["sum"]!, values.Sum(value => (double)value), 1e-3 * length);
        }
    }

    public void Dispose() => _folder.Dispose();
}
