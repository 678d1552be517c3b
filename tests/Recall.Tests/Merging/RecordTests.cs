using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Tests.Merging;

public sealed class RecordTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    [Fact]
    public void TheRecordNamesEveryInputByItsHash()
    {
        string a = TinyModel.Write(_folder["a"], 1), b = TinyModel.Write(_folder["b"], 2);
        string text = $"merge_method: linear\nmodels:\n  - {{model: {a}, parameters: {{weight: 1}}}}\n  - {{model: {b}, parameters: {{weight: 1}}}}\n";
        MergeRun.Run(MergeConfig.Parse(text, "merge.yaml"), new MergeOptions { Output = _folder["out"], Seed = 7 });

        var record = JsonNode.Parse(File.ReadAllText(_folder["out", "recall.json"]))!;
        Assert.Equal(7, (int)record["seed"]!);
        Assert.Equal("linear", (string?)record["merge_method"]);
        foreach (var (model, folder) in record["models"]!.AsArray().Zip([a, b]))
        {
            Assert.Equal(folder, (string?)model!["model"]);
            string expected = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, "model.safetensors"))));
            Assert.Equal(expected, (string?)model["files"]![0]!["sha256"]);
        }
        Assert.Equal(text, File.ReadAllText(_folder["out", "mergekit_config.yml"]));
        string card = File.ReadAllText(_folder["out", "README.md"]);
        Assert.StartsWith("---\nlibrary_name: transformers\ntags:\n- mergekit\n- merge\n- recall\n---\n# out\n\n", card);
        Assert.EndsWith("## Merge Details\n\n### Merge Method\n\n[Linear](https://arxiv.org/abs/2203.05482).\n\n"
            + $"### Models Merged\n\n* {a}\n* {b}\n\n### Configuration\n\n```yaml\n{text}```\n", card);
    }

    public void Dispose() => _folder.Dispose();
}
