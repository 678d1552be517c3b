using System.Text.Json;

namespace Recall.Cli.Tests.Commands;

public class DiffCommandTests
{
    const string Changed = "model.layers.1.mlp.up_proj.weight";

    [Fact]
    public void AModelEqualsItself()
    {
        using var folder = new TemporaryFolder();
        string a = TinyModel.Write(folder["a"], 1), b = TinyModel.Write(folder["b"], 1);
        var run = Session.Run("diff", a, b);
        Assert.Equal(0, run.ExitCode);
        Assert.EndsWith("\nequal\n", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void OneChangedValueIsFound()
    {
        using var folder = new TemporaryFolder();
        string a = TinyModel.Write(folder["a"], 1), b = TinyModel.Write(folder["b"], 1, tensors => tensors[Changed].Values[5] += 0.25f);
        var run = Session.Run("diff", a, b);
        Assert.Equal(1, run.ExitCode);
        Expected.Match("diff.txt", run.Out);
        Assert.Equal(1, Session.Run("diff", a, b, "--tolerance", "0.249").ExitCode);
        var tolerated = Session.Run("diff", a, b, "--tolerance", "0.2501");
        Assert.Equal(0, tolerated.ExitCode);
        Assert.EndsWith("equal within 0.2501: 1 of 21 tensors differ, by 0.25 at most\n", tolerated.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void NumbersAreThoseOfTheDefinitions()
    {
        using var folder = new TemporaryFolder();
        string a = TinyModel.Write(folder["a"], 1), b = TinyModel.Write(folder["b"], 2);
        var (valuesA, valuesB) = (TinyModel.Values(1), TinyModel.Values(2));
        using var json = JsonDocument.Parse(Session.Run("diff", a, b, "--json").Out);
        foreach (var tensor in json.RootElement.GetProperty("tensors").EnumerateArray())
        {
            string name = tensor.GetProperty("name").GetString()!;
            var pairs = valuesA[name].Values.Zip(valuesB[name].Values, (x, y) => ((double)x, (double)y)).ToList();
            var difference = tensor.GetProperty("difference");
            Assert.Equal(pairs.Max(p => Math.Abs(p.Item1 - p.Item2)), difference.GetProperty("max_abs").GetDouble(), 12);
            double norm = Math.Sqrt(pairs.Sum(p => p.Item1 * p.Item1)), other = Math.Sqrt(pairs.Sum(p => p.Item2 * p.Item2));
            Assert.Equal(Math.Sqrt(pairs.Sum(p => (p.Item1 - p.Item2) * (p.Item1 - p.Item2))) / norm, difference.GetProperty("relative").GetDouble(), 12);
            Assert.Equal(pairs.Sum(p => p.Item1 * p.Item2) / norm / other, difference.GetProperty("cosine").GetDouble(), 12);
        }
        Assert.Equal(3, json.RootElement.GetProperty("layers").GetArrayLength());
        Assert.False(json.RootElement.GetProperty("within").GetBoolean());
    }

    [Fact]
    public void NamesAndShapesCount()
    {
        using var folder = new TemporaryFolder();
        string a = TinyModel.Write(folder["a"], 1, tensors => tensors.Remove("lm_head.weight"));
        string b = TinyModel.Write(folder["b"], 1, tensors => tensors["model.norm.weight"] = ([4], new float[4]));
        var run = Session.Run("diff", a, b, "--tolerance", "1e9");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("lm_head.weight: only in B\n", run.Out, StringComparison.Ordinal);
        Assert.Contains("model.norm.weight: shape [8] in A, [4] in B\n", run.Out, StringComparison.Ordinal);
        Assert.EndsWith("different: in names, in shapes\n", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void ANaNIsNeverWithinATolerance()
    {
        using var folder = new TemporaryFolder();
        string a = TinyModel.Write(folder["a"], 1), b = TinyModel.Write(folder["b"], 1, tensors => tensors[Changed].Values[5] = float.NaN);
        var run = Session.Run("diff", a, b, "--tolerance", "1e9");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("1 NaN or infinite", run.Out, StringComparison.Ordinal);
        Assert.Equal(0, Session.Run("diff", b, b).ExitCode);
        Assert.Equal(1, JsonDocument.Parse(Session.Run("diff", a, b, "--json").Out).RootElement.GetProperty("all").GetProperty("not_comparable").GetInt32());
    }
}
