using System.Globalization;
using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// A model that grew by repeating layers of its base (PEFT's layer_replication): ranges [from, to) of the base's layers, one after the
/// other.
/// </summary>
static class LayerReplication
{
    const int MostLayers = 10_000;

    /// <summary>The grown model; its layers share the tensors of the base's.</summary>
    /// <exception cref="RecallException">A range lies outside the base.</exception>
    public static Checkpoint Apply(Checkpoint model, IReadOnlyList<(int From, int To)> ranges, string configPath)
    {
        string prefix = model.Architecture?.LayerPrefix ?? "model.layers.";
        var layers = model.Tensors.ToLookup(tensor => LayerOf(tensor.Name, prefix));
        int count = layers.Max(layer => layer.Key) + 1;
        if (ranges.Any(range => range.To > count))
            throw new RecallException($"{configPath}: layer_replication names layer {ranges.Max(range => range.To) - 1}; the base "
                + $"{model.Path} has {count} layers");
        if (ranges.Sum(range => (long)range.To - range.From) > MostLayers)
            throw new RecallException($"{configPath}: layer_replication makes more than {MostLayers} layers");

        var order = ranges.SelectMany(range => Enumerable.Range(range.From, range.To - range.From)).ToList();
        var tensors = layers[-1].ToList();
        for (int layer = 0; layer < order.Count; layer++)
        {
            foreach (var tensor in layers[order[layer]])
                tensors.Add(new RenamedTensor($"{prefix}{layer}{tensor.Name[tensor.Name.IndexOf('.', prefix.Length)..]}", tensor));
        }
        var config = (JsonObject)model.Config.DeepClone();
        var places = model.Architecture?.Modules[0].CountPlaces(config).ToList() ?? [];
        string stated = model.Architecture?.LayerCountKey ?? "num_hidden_layers";
        if (places.Count == 0) places = [(config, stated.Contains('.', StringComparison.Ordinal) ? "num_hidden_layers" : stated)];
        foreach (var (parent, key) in places)
        {
            parent[key] = JsonNode.Parse($"{order.Count}");
            if (parent["layer_types"] is JsonArray types && types.Count == count)
                parent["layer_types"] = new JsonArray([.. order.Select(layer => types[layer]?.DeepClone())]);
        }
        return model.With(tensors, config);
    }

    static int LayerOf(string name, string prefix)
    {
        if (!name.StartsWith(prefix, StringComparison.Ordinal)) return -1;
        int end = name.IndexOf('.', prefix.Length);
        if (end < 0) return -1;
        return int.TryParse(name.AsSpan(prefix.Length, end - prefix.Length), NumberStyles.None, null, out int layer) ? layer : -1;
    }
}
