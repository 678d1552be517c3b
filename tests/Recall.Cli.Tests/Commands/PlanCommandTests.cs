using System.Text.Json;
using System.Text.RegularExpressions;

namespace Recall.Cli.Tests.Commands;

public class PlanCommandTests
{
    [Fact]
    public void APlanIsShownInGroupsAndNothingIsWritten()
    {
        using var folder = new TemporaryFolder();
        string config = MergeCommandTests.WriteLinear(folder);
        var run = Session.Run("plan", config, folder["merged"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Matches(@"(?m)^time +\S.* s \(reading .*/s, writing .*/s\)$", run.Out);
        Expected.Match("plan.txt", Measured(run.Out.Replace(folder.Path, "MODELS")));
        Assert.False(Directory.Exists(folder["merged"]));
        Assert.Equal(["a", "b", "merge.yaml"], Directory.GetFileSystemEntries(folder.Path).Select(entry => Path.GetFileName(entry)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void EveryTensorIsListedOnDemand()
    {
        using var folder = new TemporaryFolder();
        var run = Session.Run("plan", MergeCommandTests.WriteLinear(folder), "--tensors", "--no-probe");
        Expected.Match("plan-tensors.txt", Measured(run.Out.Replace(folder.Path, "MODELS")));
    }

    [Fact]
    public void ScriptsGetThePlaceOfEveryTensor()
    {
        using var folder = new TemporaryFolder();
        string config = MergeCommandTests.WriteLinear(folder);
        using var json = JsonDocument.Parse(Session.Run("plan", config, "--json", "--no-probe").Out);
        Assert.Equal(0, Session.Run("merge", config, folder["merged"]).ExitCode);
        Assert.Equal(new FileInfo(folder["merged", "model.safetensors"]).Length, json.RootElement.GetProperty("output_bytes").GetInt64());
        Assert.True(json.RootElement.GetProperty("free_disk_bytes").GetInt64() > 0);
        var tensors = json.RootElement.GetProperty("tensors").EnumerateArray().ToList();
        Assert.Equal(TinyModel.Tensors.Select(tensor => tensor.Name).Order(), tensors.Select(tensor => tensor.GetProperty("name").GetString()).Order());
        byte[] written = File.ReadAllBytes(folder["merged", "model.safetensors"]);
        var (a, b) = (TinyModel.Values(1), TinyModel.Values(2));
        foreach (var tensor in tensors)
        {
            string name = tensor.GetProperty("name").GetString()!;
            float first = BitConverter.ToSingle(written, tensor.GetProperty("offset").GetInt32());
            Assert.Equal((a[name].Values[0] + b[name].Values[0]) / 2, first, 1e-6f);
        }
    }

    [Fact]
    public void WhatIsWrongIsFoundHere()
    {
        using var folder = new TemporaryFolder();
        string config = MergeCommandTests.WriteLinear(folder);
        TinyModel.Write(folder["b"], 2, tensors => tensors.Remove("model.layers.1.mlp.up_proj.weight"));
        var run = Session.Run("plan", config, "--no-probe");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("lacks tensor model.layers.1.mlp.up_proj.weight", run.Error, StringComparison.Ordinal);
        Directory.CreateDirectory(folder["used", "inside"]);
        TinyModel.Write(folder["b"], 2);
        Assert.Contains("is not empty", Session.Run("plan", config, folder["used"]).Error, StringComparison.Ordinal);
    }

    /// <summary>Takes out what differs from machine to machine.</summary>
    static string Measured(string text) => Regex.Replace(text, "(?m)^(free disk|peak memory|time) +.*$", "$1 …");
}
