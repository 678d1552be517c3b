using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary>What <c>recall plan</c> says, as it is written for scripts.</summary>
sealed record PlanReport
{
    public required string Config { get; init; }
    public required string MergeMethod { get; init; }
    public string? Combine { get; init; }
    public required ImmutableArray<string> Models { get; init; }
    public string? BaseModel { get; init; }
    public string? ReferenceModel { get; init; }
    public int? Candidates { get; init; }
    public int Layers { get; init; }
    public long Parameters { get; init; }
    public long OutputBytes { get; init; }
    public long FreeDiskBytes { get; init; }
    public long PeakMemoryBytes { get; init; }
    public long BytesToRead { get; init; }
    public TimeEstimate? Time { get; init; }
    public required IReadOnlyList<ShardReport> Shards { get; init; }
    public required IReadOnlyList<string> Files { get; init; }
    public required IReadOnlyList<string> Notes { get; init; }
    public required IReadOnlyList<PlannedTensor> Tensors { get; init; }

    public static PlanReport Of(MergePlan plan, int? candidates, TimeEstimate? time) => new()
    {
        Config = plan.Config.File,
        MergeMethod = plan.Config.Method,
        Combine = plan.Alignment?.Method ?? plan.Weighting?.Method.Name,
        Models = [.. plan.Models.Select(model => model.Name)],
        BaseModel = plan.Config.BaseModel?.ToString(),
        ReferenceModel = plan.Weighting is { } weighting ? plan.Models[weighting.Models[weighting.Reference]].Name : null,
        Candidates = candidates,
        Layers = plan.LayerCount,
        Parameters = plan.Tensors.Sum(tensor => tensor.Shape.Elements),
        OutputBytes = plan.Cost.OutputBytes,
        FreeDiskBytes = OutputFolder.FreeSpace(plan.Options.Output),
        PeakMemoryBytes = plan.Cost.PeakMemory,
        BytesToRead = plan.Cost.BytesToRead,
        Time = time,
        Shards = [.. plan.Shards.Select(shard => new ShardReport(shard.Name, shard.Length))],
        Files = [.. plan.Files.Select(file => file.Name)],
        Notes = plan.Notes,
        Tensors = [.. plan.Tensors.Select(tensor => PlannedTensor.Of(tensor, plan))],
    };
}

/// <summary>A file of weights.</summary>
sealed record ShardReport(string File, long Bytes);

/// <summary>A tensor of the output: its place, and of what and how it is made.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its extents.</param>
/// <param name="DType">Its type.</param>
/// <param name="File">The file that holds it.</param>
/// <param name="Offset">Where its bytes begin there.</param>
/// <param name="Bytes">How many they are.</param>
/// <param name="Copied">True if they are those of its only source.</param>
/// <param name="WeightLayer">Whose layer weights it takes, 0 the embedding's; null: no layer's, or the mean of all.</param>
/// <param name="Sources">What it is made of.</param>
/// <param name="Parameters">Values that hold for all sources; null: absent.</param>
sealed record PlannedTensor(
    string Name, IReadOnlyList<long> Shape, [property: JsonPropertyName("dtype")] string DType, string File, long Offset, long Bytes,
    bool Copied, int? WeightLayer, IReadOnlyList<PlannedInput> Sources, IReadOnlyDictionary<string, double?> Parameters)
{
    public static PlannedTensor Of(OutputTensor tensor, MergePlan plan)
    {
        var inputs = tensor.Inputs;
        var sources = inputs.Models.Select((model, i) => new PlannedInput(
            plan.Models[model].Name, tensor.Sources[i].Name, i == inputs.BaseIndex,
            InOrder(inputs.PerModel, values => values[i])));
        return new PlannedTensor(
            tensor.Name, tensor.Shape.Dimensions, tensor.DType.ToString(), plan.Shards[tensor.Shard].Name, tensor.Offset, tensor.Length,
            tensor.Copied is not null, plan.Weighting is null || tensor.WeightLayer < 0 ? null : tensor.WeightLayer, [.. sources],
            InOrder(inputs.Values, value => value));
    }

    static Dictionary<string, double?> InOrder<T>(IReadOnlyDictionary<string, T> parameters, Func<T, double> value) =>
        parameters.OrderBy(entry => entry.Key, StringComparer.Ordinal)
            .ToDictionary(entry => entry.Key, entry => double.IsNaN(value(entry.Value)) ? (double?)null : value(entry.Value));
}

/// <summary>A source of an output tensor.</summary>
sealed record PlannedInput(string Model, string Tensor, bool Base, IReadOnlyDictionary<string, double?> Parameters);
