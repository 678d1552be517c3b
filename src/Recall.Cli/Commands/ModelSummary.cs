using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Recall.Checkpoints;
using Recall.Checkpoints.Architectures;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary>What the headers of a model say.</summary>
sealed record ModelSummary
{
    public required string Model { get; init; }
    public string? Architecture { get; init; }
    public string? ModelType { get; init; }
    public bool KnownArchitecture { get; init; }
    public int Layers { get; init; }
    public long? HiddenSize { get; init; }
    public long? VocabularySize { get; init; }
    public int Tensors { get; init; }
    public long Parameters { get; init; }
    public long Bytes { get; init; }
    [JsonPropertyName("dtypes")]
    public required IReadOnlyList<TypeSummary> DTypes { get; init; }
    public required IReadOnlyList<PartSummary> Parts { get; init; }
    public TokenizerSummary? Tokenizer { get; init; }
    public required IReadOnlyList<string> Files { get; init; }
    public AdapterSummary? Adapter { get; init; }
    public IReadOnlyList<TensorSummary>? TensorList { get; init; }

    public static ModelSummary Of(OpenedModel opened, AdapterSummary? adapter, bool listTensors)
    {
        var model = opened.Checkpoint;
        var tensors = model.Tensors.Select(TensorSummary.Of).ToList();
        return new ModelSummary
        {
            Model = opened.Name,
            Architecture = Text((model.Config["architectures"] as JsonArray)?.FirstOrDefault()),
            ModelType = Text(model.Config["model_type"]),
            KnownArchitecture = opened.Architecture.IsKnown,
            Layers = opened.LayerCount,
            HiddenSize = Number(model.Config["hidden_size"] ?? model.Config["n_embd"]),
            VocabularySize = Number(model.Config["vocab_size"]),
            Tensors = tensors.Count,
            Parameters = tensors.Sum(tensor => tensor.Parameters),
            Bytes = tensors.Sum(tensor => tensor.Bytes),
            DTypes = [.. tensors.GroupBy(tensor => tensor.Encoding).Select(TypeSummary.Of).OrderByDescending(type => type.Bytes)],
            Parts = PartSummary.Of(tensors, opened.Architecture),
            Tokenizer = TokenizerSummary.Of(model),
            Files = [.. model.Files.Select(file => file.Name)],
            Adapter = adapter,
            TensorList = listTensors ? tensors : null,
        };
    }

    static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    static long? Number(JsonNode? node) => node is JsonValue value && value.TryGetValue(out long number) ? number : null;
}

/// <summary>The tensors of one type.</summary>
sealed record TypeSummary([property: JsonPropertyName("dtype")] string DType, int Tensors, long Parameters, long Bytes)
{
    public static TypeSummary Of(IGrouping<string, TensorSummary> tensors) =>
        new(tensors.Key, tensors.Count(), tensors.Sum(tensor => tensor.Parameters), tensors.Sum(tensor => tensor.Bytes));
}

/// <summary>Neighbouring layers that are alike in their tensors' shapes and types, or the tensors outside of the layers.</summary>
sealed record PartSummary(string Part, int Tensors, long Parameters, long Bytes)
{
    public static IReadOnlyList<PartSummary> Of(IReadOnlyList<TensorSummary> tensors, Architecture architecture)
    {
        var parts = new List<PartSummary>();
        foreach (var tensor in tensors.Where(tensor => architecture.LayerOf(tensor.Name) is null)) parts.Add(Sum(tensor.Name, [tensor]));
        foreach (var module in architecture.Modules)
        {
            string of = architecture.OtherModules.IsEmpty ? "" : $" of {module.Name}";
            parts.AddRange(Layers(tensors.Where(tensor => architecture.ModuleOf(tensor.Name) == module.Name), module, of));
        }
        return parts;
    }

    static IEnumerable<PartSummary> Layers(IEnumerable<TensorSummary> tensors, ArchitectureModule module, string of)
    {
        var layers = tensors.Where(tensor => module.LayerOf(tensor.Name) is not null).GroupBy(tensor => module.LayerOf(tensor.Name)!.Value.Layer)
            .OrderBy(layer => layer.Key).Select(layer => (Number: layer.Key, Sum: Sum("", layer))).ToList();
        for (int begin = 0, end; begin < layers.Count; begin = end)
        {
            end = begin + 1;
            while (end < layers.Count && layers[end].Sum == layers[begin].Sum) end++;
            string name = end == begin + 1
                ? $"layer {layers[begin].Number}{of}"
                : $"each of layers {layers[begin].Number} to {layers[end - 1].Number}{of}";
            yield return layers[begin].Sum with { Part = name };
        }
    }

    static PartSummary Sum(string name, IEnumerable<TensorSummary> tensors)
    {
        var all = tensors.ToList();
        return new PartSummary(name, all.Count, all.Sum(tensor => tensor.Parameters), all.Sum(tensor => tensor.Bytes));
    }
}

/// <summary>One tensor, as it is stored.</summary>
sealed record TensorSummary(
    string Name, IReadOnlyList<long> Shape, [property: JsonPropertyName("dtype")] string DType, string Encoding,
    long Parameters, long Bytes, string? File)
{
    public static TensorSummary Of(TensorSource tensor)
    {
        var stored = tensor.Stored.FirstOrDefault();
        string encoding = stored?.Encoding.Name ?? tensor.DType.ToString();
        string? file = stored is null ? null : Path.GetFileName(stored.File.Path);
        return new TensorSummary(
            tensor.Name, tensor.Shape.Dimensions, tensor.DType.ToString(), encoding, tensor.Shape.Elements, stored?.Length ?? 0, file);
    }
}
