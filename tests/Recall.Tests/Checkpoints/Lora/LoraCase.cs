using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Tests.Checkpoints.Lora;

/// <summary>One case of fixtures/lora (its README tells).</summary>
sealed class LoraCase(string root, string name)
{
    readonly JsonNode _case = JsonNode.Parse(File.ReadAllText(Path.Combine(root, name, "case.json")))!;

    public static IEnumerable<string> Names(string root) =>
        Directory.GetFiles(root, "case.json", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(root, Path.GetDirectoryName(file)!)).Order();

    public string Expect => (string)_case["expect"]!;

    public Checkpoint Base => Checkpoint.Open(Path.Combine(root, (string)_case["base"]!));

    public IEnumerable<string> Adapters => (_case["adapter"] as JsonArray ?? [_case["adapter"]!.DeepClone()])
        .Select(folder => Path.Combine(root, name, (string)folder!));

    public Checkpoint Apply() => Adapters.Aggregate(Base, (model, folder) => LoraAdapter.Open(folder).Apply(model));

    /// <summary>The case holds: the result that is expected, or a refusal with its place and its reason.</summary>
    public void Check()
    {
        Checkpoint result;
        Dictionary<string, float[]> values;
        try
        {
            result = Apply();
            values = result.Tensors.ToDictionary(tensor => tensor.Name, Values);
        }
        catch (RecallException e)
        {
            Assert.True(Expect != "equal" || e.Message.Contains(".bin: ", StringComparison.Ordinal), $"refused: {e.Message}");
            Assert.Contains(Path.Combine(root, name), e.Message);
            Assert.InRange(e.Message.Length, 30, 900);
            Assert.DoesNotContain(e.Message, char.IsControl);
            return;
        }
        Assert.NotEqual("refuse", Expect);
        CheckTensors(values, result);
        foreach (var (key, value) in _case["config_changes"] as JsonObject ?? [])
            Assert.True(JsonNode.DeepEquals(value, result.Config[key]), $"config {key} is {result.Config[key]}, not {value}");
        if ((string?)_case["expected"] == "untied.safetensors") Assert.False((bool)result.Config["tie_word_embeddings"]!);
    }

    void CheckTensors(Dictionary<string, float[]> values, Checkpoint result)
    {
        string file = (string?)_case["expected"] ?? "changed.safetensors";
        var changed = SafetensorsFile.Read(DataFile.Open(Path.Combine(root, name, file))).Tensors;
        var expected = (file == "right.safetensors" ? [] : Base.Tensors).Concat(changed)
            .GroupBy(tensor => tensor.Name).ToDictionary(group => group.Key, group => group.Last());
        Assert.Equal(expected.Keys.Order(), values.Keys.Order());
        foreach (var (tensor, wanted) in expected)
        {
            Assert.Equal(wanted.Shape, result.Find(tensor)!.Shape);
            if (!changed.Contains(wanted)) Assert.Equal(Values(wanted), values[tensor]);
            else if (_case["tolerance"]?["absolute"] is { } absolute) CheckNear(tensor, Values(wanted), values[tensor], (float)absolute);
            else if (_case["tolerance"] is not null) CheckRounded(tensor, wanted, values[tensor]);
        }
    }

    static void CheckNear(string tensor, float[] wanted, float[] found, float tolerance)
    {
        for (int i = 0; i < wanted.Length; i++)
            Assert.True(MathF.Abs(wanted[i] - found[i]) <= tolerance, $"{tensor}[{i}] is {found[i]:R}, not {wanted[i]:R} ± {tolerance}");
    }

    static void CheckRounded(string tensor, TensorSource wanted, float[] found)
    {
        var bytes = new byte[found.Length * 2];
        PlainEncoding.Of(wanted.DType).Encode(found, bytes);
        var expected = new byte[bytes.Length];
        PlainEncoding.Of(wanted.DType).Encode(Values(wanted), expected);
        int differing = 0;
        for (int i = 0; i < found.Length; i++)
        {
            int distance = Math.Abs(BitConverter.ToInt16(bytes, 2 * i) - BitConverter.ToInt16(expected, 2 * i));
            Assert.True(distance <= 1, $"{tensor}[{i}] is {distance} units in the last place away");
            differing += distance;
        }
        Assert.True(differing <= 1 + found.Length * 0.005, $"{tensor}: {differing} of {found.Length} elements differ");
    }

    public static float[] Values(TensorSource tensor)
    {
        var values = new float[tensor.Shape.Elements];
        tensor.Read(new TileReader(), 0, values);
        return values;
    }
}
