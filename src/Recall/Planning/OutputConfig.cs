using System.Text.Json.Nodes;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>The output's config.json: the donor's, with what the merge changes: layer count, vocabulary size, type, tied head.</summary>
static class OutputConfig
{
    static readonly string[] LayerCountKeys = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"];

    public static JsonObject Make(MergePlan plan, List<string> notes)
    {
        var config = (JsonObject)plan.Donor.Checkpoint.Config.DeepClone();
        if (config.Count == 0) return config;
        var architecture = plan.Donor.Architecture;
        if (plan.Config.Slices.Length > 0) SetLayerCount(config, plan, notes);

        var embedding = plan.Tensors.FirstOrDefault(tensor => tensor.Name == architecture.Embedding);
        if (embedding is not null && config["vocab_size"] is not null && embedding.Shape[0] != Number(config, "vocab_size"))
            config["vocab_size"] = embedding.Shape[0];
        if (embedding is not null && config["text_config"] is JsonObject text && Number(text, "vocab_size") is not null)
            text["vocab_size"] = embedding.Shape[0];
        bool head = plan.Tensors.Any(tensor => tensor.Name == architecture.Head);
        if (head && config["tie_word_embeddings"] is JsonValue tied && tied.TryGetValue(out bool isTied) && isTied) config["tie_word_embeddings"] = false;

        var types = plan.Tensors.Where(tensor => tensor.DType.IsFloat()).GroupBy(tensor => tensor.DType).ToList();
        if (types.Count > 0)
        {
            var main = types.MaxBy(group => group.Sum(tensor => tensor.Length))!.Key;
            string key = config.ContainsKey("dtype") && !config.ContainsKey("torch_dtype") ? "dtype" : "torch_dtype";
            if (config.ContainsKey("dtype") && config.ContainsKey("torch_dtype")) config["dtype"] = main.TorchName();
            config[key] = main.TorchName();
        }
        config.Remove("_name_or_path");
        return config;
    }

    static void SetLayerCount(JsonObject config, MergePlan plan, List<string> notes)
    {
        int layers = plan.LayerCount;
        string? key = plan.Donor.Architecture.LayerCountKey
            ?? LayerCountKeys.FirstOrDefault(config.ContainsKey);
        if (key is null)
        {
            notes.Add($"config.json: no key of the donor holds the number of layers; set it to {layers} by hand");
            return;
        }
        config[key] = layers;
        // Lists with one entry a layer (transformers' layer_types) must be as long as the model is deep.
        foreach (var (name, list) in config.Where(entry => entry.Value is JsonArray array && array.Count == plan.Donor.LayerCount && entry.Key.StartsWith("layer", StringComparison.Ordinal)).ToList())
        {
            var sources = plan.Config.Slices.SelectMany(slice => Enumerable.Range(slice.Sources[0].Start, slice.Sources[0].End - slice.Sources[0].Start));
            config[name] = new JsonArray([.. sources.Select(layer => ((JsonArray)list!)[Math.Min(layer, plan.Donor.LayerCount - 1)]?.DeepClone())]);
        }
    }

    static long? Number(JsonObject config, string key) => config[key] is JsonValue value && value.TryGetValue(out long number) ? number : null;
}
