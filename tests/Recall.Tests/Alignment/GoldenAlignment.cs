using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Recall.Alignment;
using Recall.Checkpoints;

namespace Recall.Tests.Alignment;

/// <summary>The reference models of golden/align: base, three experts, their texts.</summary>
static class GoldenAlignment
{
    public static Checkpoint Base(string set) => Checkpoint.Open(Fixtures.Shared("golden", "align", set, "base"));

    public static IReadOnlyList<AlignmentExpert> Experts(string set) =>
    [
        .. Texts(set).GroupBy(text => text.Task).Select(texts =>
            new AlignmentExpert(texts.Key, Checkpoint.Open(Fixtures.Shared("golden", "align", set, texts.Key)), [.. texts])),
    ];

    static IEnumerable<AlignmentText> Texts(string set) =>
        File.ReadLines(Fixtures.Shared("golden", "align", set, "samples.jsonl")).Select(line => JsonNode.Parse(line)!).Select(row =>
            new AlignmentText([.. row["ids"]!.AsArray().Select(id => (int)id!)], (int)row["answer"]!) { Task = (string)row["expert"]! });

    /// <summary>The merged model, tensor by tensor.</summary>
    public static Dictionary<string, float[]> Merge(Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts, AlignmentOptions options) =>
        Merge(baseModel, experts, options, out _);

    public static Dictionary<string, float[]> Merge(Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts, AlignmentOptions options, out IReadOnlyList<string> notes,
        long range = 16 << 20)
    {
        using var alignment = new LayerAlignment(baseModel, experts, options) { RangeElements = range };
        var merged = alignment.Rest.Tensors.ToDictionary(tensor => tensor.Name, Read);
        alignment.Run((name, first, rows) =>
            MemoryMarshal.Cast<byte, float>(rows.bytes).CopyTo(merged[name].AsSpan((int)(first * rows.shape[^1]))));
        notes = alignment.Notes;
        return merged;
    }

    public static float[] Read(TensorSource source)
    {
        var values = new float[source.Shape.Elements];
        var reader = new TileReader();
        reader.BeginTensor();
        for (int start = 0; start < values.Length; start += TileReader.TileElements)
        {
            reader.Begin();
            source.Read(reader, start, values.AsSpan(start, Math.Min(TileReader.TileElements, values.Length - start)));
        }
        return values;
    }

    /// <summary>The largest difference of any element, with its tensor.</summary>
    public static (double Difference, string Tensor) Farthest(Dictionary<string, float[]> merged, Dictionary<string, float[]> expected)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), merged.Keys.Order(StringComparer.Ordinal));
        return expected.Select(tensor => (tensor.Value.Zip(merged[tensor.Key], (one, other) => double.IsFinite(other) ? Math.Abs((double)one - other) : double.PositiveInfinity).Max(), tensor.Key)).Max();
    }
}
