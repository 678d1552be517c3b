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
        ["models"] = new JsonArray([.. plan.Models.Select(new InputHashes().Of)]),
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
}
