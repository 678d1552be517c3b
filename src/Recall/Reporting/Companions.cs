using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Recall.Planning;
using Recall.Representations;
using Recall.Streaming;

namespace Recall.Reporting;

/// <summary>What lies beside the weights in the output: the donor's files byte for byte, the config as given, recall.json, the model card.</summary>
static class Companions
{
    public static void Add(OutputWriter writer, MergePlan plan, WeightsFile? weights, DateTimeOffset started)
    {
        foreach (var file in plan.Files) writer.Add(file.Name, file.Read());
        writer.AddJson("recall.json", Record(plan, weights, started));
        if (!plan.Options.WriteModelCard) return;
        writer.AddText(plan.ConfigName, plan.Config.Text);
        writer.AddText("README.md", ModelCard.Write(plan));
    }

    static JsonObject Record(MergePlan plan, WeightsFile? weights, DateTimeOffset started) => new()
    {
        ["recall_version"] = typeof(Companions).Assembly.GetName().Version!.ToString(3),
        ["started"] = started.ToString("yyyy-MM-ddTHH:mm:ssZ"),
        ["merge_method"] = plan.Config.Method,
        ["seed"] = plan.Options.Seed,
        ["models"] = new JsonArray([.. plan.Models.Select(model => (JsonNode)Model(model))]),
        ["layer_weights"] = weights is null ? null : Weights(weights),
        ["notes"] = new JsonArray([.. plan.Notes.Select(note => (JsonNode)note)]),
    };

    /// <summary>Without the texts of the samples: a model that is passed on should not carry them along unasked.</summary>
    static JsonNode Weights(WeightsFile weights)
    {
        var json = JsonNode.Parse(weights.ToJson())!;
        foreach (var sample in json["samples"]!.AsArray()) ((JsonObject)sample!).Remove("text");
        return json;
    }

    /// <summary>
    /// A model's identity: its files with their sizes; of weights the SHA-256 of the header (names, types, shapes, places), which is read anyway, of
    /// everything small that of the whole file.
    /// </summary>
    static JsonObject Model(OpenedModel model)
    {
        var files = new JsonArray();
        foreach (var group in model.Checkpoint.Tensors.SelectMany(tensor => tensor.Stored).GroupBy(stored => stored.File.Path, StringComparer.Ordinal))
        {
            var file = group.First().File;
            var header = new byte[Math.Min(group.Min(stored => stored.Offset), 16 << 20)];
            file.Read(0, header);
            files.Add(new JsonObject
            {
                ["path"] = file.Path,
                ["bytes"] = file.Length,
                ["header_sha256"] = Convert.ToHexStringLower(SHA256.HashData(header)),
            });
        }
        foreach (var file in model.Checkpoint.Files)
            files.Add(new JsonObject { ["path"] = file.Source ?? file.Name, ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(file.Read().Span)) });
        return new JsonObject { ["model"] = model.Name, ["files"] = files };
    }
}
