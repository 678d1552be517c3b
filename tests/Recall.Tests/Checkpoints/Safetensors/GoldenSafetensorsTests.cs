using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Tests.Checkpoints.Safetensors;

/// <summary>Every case of fixtures/safetensors: files and indexes made by the safetensors library, and hostile ones (its README tells).</summary>
public class GoldenSafetensorsTests
{
    public static TheoryData<string> Cases()
    {
        string root = Fixtures.Path("safetensors");
        return [.. Directory.GetFiles(root, "case.json", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(root, Path.GetDirectoryName(file)!)).Order()];
    }

    [Theory, MemberData(nameof(Cases))]
    public void FileIsReadExactlyOrRefusedWithAReason(string name)
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Fixtures.Path("safetensors", name));
        var @case = JsonNode.Parse(File.ReadAllText(folder["case.json"]))!;
        SetUp(@case["setup"] as JsonArray, folder);

        IReadOnlyList<StoredTensor> tensors;
        try
        {
            tensors = Read(folder.Path);
        }
        catch (RecallException e)
        {
            Assert.NotEqual("equal", (string)@case["expect"]!);
            Assert.StartsWith(folder.Path, e.Message);
            Assert.InRange(e.Message.Length, folder.Path.Length + 20, folder.Path.Length + 400);
            Assert.DoesNotContain(e.Message, char.IsControl);
            return;
        }
        Assert.NotEqual("refuse", (string)@case["expect"]!);
        if (!File.Exists(folder["expected.safetensors"])) return;
        var expected = SafetensorsFile.Read(DataFile.Open(folder["expected.safetensors"])).Tensors.ToDictionary(tensor => tensor.Name);
        Assert.Equal(expected.Keys.Order(), tensors.Select(tensor => tensor.Name).Order());
        foreach (var tensor in tensors)
        {
            Assert.Equal(expected[tensor.Name].Shape, tensor.Shape);
            Assert.Equal(Values(expected[tensor.Name]), Values(tensor));
        }
    }

    [Fact]
    public void RoundingToNarrowTypesIsThatOfTorch()
    {
        var tensors = Read(Fixtures.Path("safetensors", "rounding")).ToDictionary(tensor => tensor.Name);
        foreach (var type in new[] { DType.F16, DType.BF16, DType.F8E4M3, DType.F8E5M2 })
        {
            var expected = tensors[$"f32.{type.SafetensorsName()}"];
            var input = Values(tensors["f32"]);
            var rounded = new byte[expected.Length];
            PlainEncoding.Of(type).Encode(input, rounded);
            var back = new float[input.Length];
            PlainEncoding.Of(type).Decode(rounded, back);
            var wanted = Values(expected);
            for (int i = 0; i < input.Length; i++)
                Assert.True(BitConverter.SingleToInt32Bits(wanted[i]) == BitConverter.SingleToInt32Bits(back[i]) || (float.IsNaN(wanted[i]) && float.IsNaN(back[i])),
                    $"{type}: {input[i]:R} gives {back[i]:R}, torch {wanted[i]:R}");
        }
        Assert.Equal(Values(tensors["f64.F32"]), Values(tensors["f64"]));
    }

    static IReadOnlyList<StoredTensor> Read(string folder)
    {
        string index = Path.Combine(folder, "model.safetensors.index.json"), single = Path.Combine(folder, "model.safetensors");
        return File.Exists(single) ? SafetensorsFile.Read(DataFile.Open(single)).Tensors : SafetensorsIndex.Read(index);
    }

    static float[] Values(StoredTensor tensor)
    {
        var values = new float[tensor.Shape.Elements];
        tensor.Read(new TileReader(), 0, values);
        return values;
    }

    static void SetUp(JsonArray? steps, TemporaryFolder folder)
    {
        foreach (var step in steps ?? [])
        {
            if ((string?)step!["fifo"] is { } fifo) System.Diagnostics.Process.Start("mkfifo", folder[fifo]).WaitForExit();
            if ((string?)step["folder"] is { } sub) Directory.CreateDirectory(folder[sub]);
            if ((string?)step["symlink"] is { } link) File.CreateSymbolicLink(folder[link], (string)step["to"]!);
        }
    }
}
