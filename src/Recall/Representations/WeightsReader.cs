using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;

namespace Recall.Representations;

/// <summary>Reads a <see cref="WeightsFile"/>; nothing in it is trusted.</summary>
sealed class WeightsReader(string path)
{
    const long Largest = 256L << 20;

    /// <summary>Weights are read as they were written; by hand one writes 0.333333.</summary>
    const double SumTolerance = 1e-5;

    public WeightsFile Read()
    {
        try
        {
            var root = Parse();
            var models = Array(root, "models", "").Select((node, i) => Text(node, $"models[{i}]")).ToImmutableArray();
            if (models.IsEmpty) throw Error("models", "must name at least one model");
            string reference = Text(root["reference"], "reference");
            if (!models.Contains(reference)) throw Error("reference", $"is {Quoted.Of(reference)}, which is none of the models");
            var layers = Array(root, "layers", "").Select((node, i) => Layer(node, i, models.Length)).ToImmutableArray();
            if (layers.Length < 2) throw Error("layers", "must hold the embedding (layer 0) and at least one block");
            var samples = root["samples"] is null ? [] : Array(root, "samples", "").Select((node, i) => Sample(node, $"samples[{i}]")).ToImmutableArray();
            return new WeightsFile(models, reference, samples, layers, Options(root));
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)     // text that is not Unicode, a key that stands twice
        {
            throw new RecallException($"{path}: is no file of weights: {e.Message}", e);
        }
    }

    JsonObject Parse()
    {
        using var file = DataFile.Open(path);
        if (file.Length > Largest) throw new RecallException($"{path}: has {file.Length} bytes; a file of weights has at most {Largest}");
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        try
        {
            return JsonNode.Parse(bytes, documentOptions: new JsonDocumentOptions { MaxDepth = 16 }) as JsonObject
                ?? throw new RecallException($"{path}: must hold a JSON object");
        }
        catch (JsonException e)
        {
            string what = e.Message.Split(" LineNumber")[0];
            throw new RecallException($"{path}:{e.LineNumber + 1}:{e.BytePositionInLine + 1}: is not valid JSON: {what}", e);
        }
    }

    ModelWeights Layer(JsonNode? node, int index, int models)
    {
        string where = $"layers[{index}]";
        if (node is not JsonObject layer) throw Error(where, "must be an object");
        double number = Number(layer["layer"], $"{where}.layer");
        if (number != index) throw Error($"{where}.layer", $"is {number:R}; layers must stand in order from 0, so {index} is expected here");
        double? bandwidth = layer["bandwidth"] is null ? null : Number(layer["bandwidth"], $"{where}.bandwidth");
        if (bandwidth <= 0) throw Error($"{where}.bandwidth", "must be above 0, or null");
        var weights = Numbers(layer, "weights", where, models);
        double sum = weights.Sum();
        if (Math.Abs(sum - 1) > SumTolerance) throw Error($"{where}.weights", $"sum to {sum:R}; the weights of a layer must sum to 1");
        return new ModelWeights(index, bandwidth, Numbers(layer, "similarity", where, models), weights);
    }

    ImmutableArray<double> Numbers(JsonObject layer, string key, string where, int models)
    {
        var numbers = Array(layer, key, where + ".");
        if (numbers.Count != models) throw Error($"{where}.{key}", $"has {numbers.Count} numbers for {models} models");
        return [.. numbers.Select((node, i) => Number(node, $"{where}.{key}[{i}]"))];
    }

    Sample Sample(JsonNode? node, string where)
    {
        if (node is not JsonObject sample) throw Error(where, "must be an object");
        return new Sample(Integer(sample, "row", $"{where}.", 0, 0), Text(sample["text"], $"{where}.text"), [])
        {
            ClusterSize = Integer(sample, "cluster_size", $"{where}.", 1, 1),
        };
    }

    RecallOptions Options(JsonObject root)
    {
        var defaults = new RecallOptions();
        bool median = root["bandwidth"] is not { } given || (given.GetValueKind() == JsonValueKind.String && (string)given! == "median");
        return defaults with
        {
            Similarity = Word(root, "similarity", defaults.Similarity),
            Bandwidth = median ? null : Number(root["bandwidth"], "bandwidth"),
            Temperature = root["temperature"] is null ? defaults.Temperature : Number(root["temperature"], "temperature"),
            Pooling = Word(root, "pooling", defaults.Pooling),
            Compute = Word(root, "compute", defaults.Compute),
            ClusterLayer = Integer(root, "cluster_layer", "", int.MinValue, defaults.ClusterLayer),
            Count = Integer(root, "count", "", 1, defaults.Count),
            Candidates = Integer(root, "candidates", "", 1, RecallOptions.DefaultCandidates),
            MaxTokens = Integer(root, "max_tokens", "", 1, defaults.MaxTokens),
            Seed = Integer(root, "seed", "", 0, defaults.Seed),
        };
    }

    T Word<T>(JsonObject root, string key, T @default) where T : struct, Enum
    {
        if (root[key] is null) return @default;
        string word = Text(root[key], key);
        string[] words = [.. Enum.GetNames<T>().Select(name => name.ToLowerInvariant())];
        int index = System.Array.IndexOf(words, word);
        return index >= 0 ? Enum.GetValues<T>()[index] : throw Error(key, $"is {Quoted.Of(word)}; {string.Join(", ", words)} are known");
    }

    int Integer(JsonObject from, string key, string where, int least, int @default)
    {
        if (from[key] is null) return @default;
        double number = Number(from[key], where + key);
        return number >= least && number <= int.MaxValue && number == Math.Floor(number) ? (int)number
            : throw Error(where + key, $"must be a whole number from {least} on, not {number:R}");
    }

    JsonArray Array(JsonObject from, string key, string where) => from[key] as JsonArray ?? throw Error(where + key, "must be a list");

    string Text(JsonNode? node, string where) =>
        node?.GetValueKind() == JsonValueKind.String ? (string)node! : throw Error(where, node is null ? "is missing" : "must be a text");

    double Number(JsonNode? node, string where) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out double number) && double.IsFinite(number)
            ? number : throw Error(where, node is null ? "is missing" : "must be a finite number");

    RecallException Error(string where, string what) => new($"{path}: {where} {what}");
}
