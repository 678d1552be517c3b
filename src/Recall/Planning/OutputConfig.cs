using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>The output's config.json: the donor's, with what the merge changes: layer count, vocabulary size, type, tied head.</summary>
static class OutputConfig
{
    static readonly string[] LayerCountKeys = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"], TypeKeys = ["torch_dtype", "dtype"];

    public static JsonObject Make(MergePlan plan, ImmutableArray<PlannedModule> modules, List<string> notes)
    {
        var config = (JsonObject)plan.Donor.Checkpoint.Config.DeepClone();
        if (config.Count == 0) return config;
        var architecture = plan.Donor.Architecture;
        foreach (var module in modules)
            if (module.Config.Slices.Length > 0) SetLayerCount(config, module, plan, notes);

        // Models of several modules describe the text model in a part of its own.
        JsonObject[] texts = config["text_config"] is JsonObject inner ? [config, inner] : [config];
        var embedding = plan.Tensors.FirstOrDefault(tensor => tensor.Name == architecture.Embedding);
        bool head = plan.Tensors.Any(tensor => tensor.Name == architecture.Head);
        foreach (var text in texts)
        {
            if (embedding is not null && Number(text, "vocab_size") is not null) text["vocab_size"] = embedding.Shape[0];
            if (head && text["tie_word_embeddings"] is JsonValue tied && tied.TryGetValue(out bool isTied) && isTied) text["tie_word_embeddings"] = false;
        }

        var types = plan.Tensors.Where(tensor => tensor.DType.IsFloat()).GroupBy(tensor => tensor.DType).ToList();
        if (types.Count > 0)
        {
            var main = types.MaxBy(group => group.Sum(tensor => tensor.Length))!.Key;
            string key = config.ContainsKey("dtype") && !config.ContainsKey("torch_dtype") ? "dtype" : "torch_dtype";
            if (config.ContainsKey("dtype") && config.ContainsKey("torch_dtype")) config["dtype"] = main.TorchName();
            config[key] = main.TorchName();
            foreach (var part in config.Select(entry => entry.Value).OfType<JsonObject>().ToList())
                foreach (string typeKey in TypeKeys)
                    if (part[typeKey] is JsonValue named && named.TryGetValue(out string? _)) part[typeKey] = main.TorchName();
        }
        config.Remove("_name_or_path");
        return config;
    }

    static void SetLayerCount(JsonObject config, PlannedModule planned, MergePlan plan, List<string> notes)
    {
        var module = planned.Module;
        int layers = planned.Slices.Sum(slice => slice.Layers), before = plan.Donor.LayersOf(module);
        var places = module.CountPlaces(config).ToList();
        if (places.Count == 0 && module.LayerCountKey is { } stated && !stated.Contains('.', StringComparison.Ordinal)) places = [(config, stated)];
        bool isMain = module.Name == plan.Donor.Architecture.ModuleName;
        if (places.Count == 0 && isMain && LayerCountKeys.FirstOrDefault(config.ContainsKey) is { } likely) places = [(config, likely)];
        if (places.Count == 0)
        {
            notes.Add(isMain
                ? $"config.json: no key of the donor holds the number of layers; set it to {layers} by hand"
                : $"config.json: no key of the donor holds the number of layers of {Quoted.Of(module.Name)}; where it needs one, set it to {layers} by hand");
            return;
        }
        // Lists with one entry a layer (transformers' layer_types) must be as long as the model is deep.
        var sources = planned.Config.Slices.SelectMany(slice =>
            Enumerable.Range(slice.Sources[0].Start, slice.Sources[0].End - slice.Sources[0].Start)).ToList();
        foreach (var (parent, key) in places)
        {
            parent[key] = layers;
            var ofLayers = parent.Where(entry =>
                entry.Value is JsonArray array && array.Count == before && entry.Key.StartsWith("layer", StringComparison.Ordinal));
            foreach (var (name, list) in ofLayers.ToList())
                parent[name] = new JsonArray([.. sources.Select(layer => ((JsonArray)list!)[Math.Min(layer, before - 1)]?.DeepClone())]);
        }
    }

    static long? Number(JsonObject config, string key) => config[key] is JsonValue value && value.TryGetValue(out long number) ? number : null;
}
