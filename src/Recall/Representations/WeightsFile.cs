using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;

namespace Recall.Representations;

/// <summary>
/// <c>weights.json</c>: how much of each model goes into each layer, and how that was found. Numbers are written so that reading gives
/// them back exactly.
/// </summary>
/// <param name="Models">The models' names, in the order of the weights.</param>
/// <param name="Reference">The name of the model that the others were compared with.</param>
/// <param name="Samples">The typical samples; their token ids and other fields are not written.</param>
/// <param name="Layers">One entry a layer: 0 is the embedding's output, l the output of block l − 1 counted from 0.</param>
/// <param name="Options">The options that were used.</param>
public sealed record WeightsFile(
    ImmutableArray<string> Models, string Reference, ImmutableArray<Sample> Samples, ImmutableArray<ModelWeights> Layers, RecallOptions Options)
{
    static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The mean of a model's weights over the layers: what tensors outside the language model take.</summary>
    public ImmutableArray<double> Mean() => [.. Models.Select((_, i) => Layers.Average(layer => layer.Weights[i]))];

    /// <summary>Writes the file; an older one is replaced once the new one is whole.</summary>
    /// <exception cref="RecallException">The disk says no.</exception>
    public void Write(string path) => WholeFile.Write(path, ToJson());

    /// <summary>Reads and checks a file.</summary>
    /// <exception cref="RecallException">Not there, not such a file, or with numbers that cannot be merged with.</exception>
    public static WeightsFile Read(string path) => new WeightsReader(path).Read();

    /// <summary>The content of the file: a layer a line.</summary>
    public string ToJson()
    {
        var text = new System.Text.StringBuilder("{\n");
        Add("models", new JsonArray([.. Models.Select(name => (JsonNode)name)]));
        Add("reference", Reference);
        Add("similarity", Options.Similarity.ToString().ToLowerInvariant());
        Add("bandwidth", Options.Similarity != SimilarityKind.Rbf ? null : Options.Bandwidth is { } number ? number : "median");
        Add("temperature", Options.Temperature);
        Add("pooling", Options.Pooling.ToString().ToLowerInvariant());
        Add("cluster_layer", Options.ClusterLayer);
        Add("count", Options.Count);
        Add("candidates", Options.Candidates ?? RecallOptions.DefaultCandidates);
        Add("max_tokens", Options.MaxTokens);
        Add("compute", Options.Compute.ToString().ToLowerInvariant());
        Add("seed", Options.Seed);
        AddLines("samples", Samples.Select(sample => new JsonObject
        {
            ["row"] = sample.Row,
            ["cluster_size"] = sample.ClusterSize,
            ["text"] = sample.Text,
        }), ",");
        AddLines("layers", Layers.Select(layer => new JsonObject
        {
            ["layer"] = layer.Layer,
            ["bandwidth"] = layer.Bandwidth,
            ["similarity"] = Numbers(layer.Similarity),
            ["weights"] = Numbers(layer.Weights),
        }), "");
        return text.Append("}\n").ToString();

        void Add(string key, JsonNode? value) => text.Append($"  \"{key}\": {value?.ToJsonString(Compact) ?? "null"},\n");
        void AddLines(string key, IEnumerable<JsonObject> lines, string comma) =>
            text.Append($"  \"{key}\": [\n").AppendJoin(",\n", lines.Select(line => "    " + line.ToJsonString(Compact))).Append($"\n  ]{comma}\n");
    }

    static JsonArray Numbers(ImmutableArray<double> values) => [.. values.Select(value => (JsonNode)value)];

    /// <summary>Refuses a file that was made for other models than those of a merge.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="models">The models of the merge, in the order in which they take weights.</param>
    /// <param name="layers">Blocks of the merge's models.</param>
    /// <exception cref="RecallException">Other models, another order, or another number of layers.</exception>
    public void RequireFor(string path, IReadOnlyList<string> models, int layers)
    {
        if (Models.Length != models.Count)
            throw new RecallException($"{path}: has weights for {Models.Length} models ({List(Models)}), the config names {models.Count} ({List(models)})");
        for (int i = 0; i < Models.Length; i++)
        {
            if (Models[i] == models[i]) continue;
            string order = Models.Order().SequenceEqual(models.Order()) ? "the same models in another order" : "another model";
            throw new RecallException($"{path}: has {order}: model {i + 1} is {Quoted.Of(Models[i])} there and {Quoted.Of(models[i])} in the config");
        }
        if (Layers.Length != layers + 1)
            throw new RecallException($"{path}: has weights for {Layers.Length - 1} blocks (layers 0 to {Layers.Length - 1}), the models have {layers}");
    }

    static string List(IEnumerable<string> names) => string.Join(", ", names.Select(Quoted.Of));
}
