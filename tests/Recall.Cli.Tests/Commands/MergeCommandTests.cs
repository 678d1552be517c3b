using System.Text.Json;

namespace Recall.Cli.Tests.Commands;

public class MergeCommandTests
{
    [Fact]
    public void ALinearMergeIsTheMeanAndTheOutputIsAModel()
    {
        using var folder = new TemporaryFolder();
        string config = WriteLinear(folder);
        var run = Session.Run("merge", config, folder["merged"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Matches($@"^{folder["merged"]}: 21 tensors, 8\.1 kB in one file, (< )?\d+\.\d s \(12\.1 kB read\)\n$", run.Out);

        var (a, b) = (TinyModel.Values(1), TinyModel.Values(2));
        TinyModel.Write(folder["mean"], 1, tensors =>
        {
            foreach (string name in tensors.Keys) tensors[name] = (a[name].Shape, [.. a[name].Values.Zip(b[name].Values, (x, y) => (x + y) / 2)]);
        });
        Assert.Equal(0, Session.Run("diff", folder["mean"], folder["merged"], "--tolerance", "1e-7").ExitCode);
        Assert.Equal(
            ["README.md", "config.json", "mergekit_config.yml", "model.safetensors", "recall.json"],
            Directory.GetFiles(folder["merged"]).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TheSameIsThereForScripts()
    {
        using var folder = new TemporaryFolder();
        var run = Session.Run("merge", WriteLinear(folder), folder["merged"], "--json", "--out-shard-size", "3K");
        using var json = JsonDocument.Parse(run.Out);
        Assert.Equal(folder["merged"], json.RootElement.GetProperty("output").GetString());
        Assert.Equal(21, json.RootElement.GetProperty("tensors").GetInt32());
        Assert.True(json.RootElement.GetProperty("files").GetArrayLength() > 1);
        Assert.True(File.Exists(folder["merged", "model.safetensors.index.json"]));
    }

    [Fact]
    public void ScriptsForMergekitRunAsTheyAre()
    {
        using var folder = new TemporaryFolder();
        var run = Session.Run(
            "merge", WriteLinear(folder), folder["merged"], "--copy-tokenizer", "--allow-crimes", "--cuda", "--out-shard-size", "1B", "--lazy-unpickle",
            "--lora-merge-cache", "/tmp/cache", "--low-cpu-memory", "--write-model-card", "--safe-serialization", "--trust-remote-code", "--clone-tensors",
            "-v", "--no-async-write", "--read-to-gpu", "--multi-gpu", "--gpu-rich", "--device", "auto", "--write-threads", "4", "-j", "2",
            "--transformers-cache", "x", "--lora-merge-dtype", "bfloat16", "--random-seed", "7");
        Assert.Equal(0, run.ExitCode);
        Assert.Equal(
            "note: --cuda, --low-cpu-memory, --clone-tensors, --trust-remote-code, --lazy-unpickle, --read-to-gpu, --multi-gpu, --gpu-rich, -v, --transformers-cache, "
            + "--lora-merge-cache, --lora-merge-dtype, --device, --write-threads: of mergekit, without meaning here\n"
            + "note: --random-seed 7: without effect: the method linear draws no random numbers\n", run.Error);
        run = Session.Run("merge", WriteLinear(folder), folder["again"], "--cuda", "--no-safe-serialization", "--quiet", "--no-write-model-card");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.False(File.Exists(folder["again", "README.md"]));
    }

    [Fact]
    public void FlagsThatExcludeOneAnotherAreBadUsage()
    {
        var run = Session.Run("merge", "a.yaml", "out", "--copy-tokenizer", "--no-copy-tokenizer");
        Assert.Equal((2, "recall: --copy-tokenizer and --no-copy-tokenizer exclude one another\nSee: recall merge --help\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public void AMistypedKeyIsBadUsageWithItsPlace()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["merge.yaml"], "merge_method: liner\nmodels:\n- model: a\n");
        TinyModel.Write(folder["a"], 1);
        var run = Session.Run("merge", folder["merge.yaml"], folder["merged"]);
        Assert.Equal(2, run.ExitCode);
        Assert.Equal($"recall: {folder["merge.yaml"]}:1:15 merge_method: unknown merge method 'liner'; did you mean 'linear'?\n", run.Error);
    }

    [Fact]
    public void AFolderInUseIsLeftAsItIs()
    {
        using var folder = new TemporaryFolder();
        string config = WriteLinear(folder);
        Directory.CreateDirectory(folder["merged"]);
        File.WriteAllText(folder["merged", "notes.txt"], "mine");
        var run = Session.Run("merge", config, folder["merged"]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("is not empty (it holds 'notes.txt')", run.Error, StringComparison.Ordinal);
        Assert.Equal([folder["merged", "notes.txt"]], Directory.GetFileSystemEntries(folder["merged"]));
    }

    [Fact]
    public void AStoppedMergeLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        string config = WriteLinear(folder);
        var run = Session.Run(screen => screen, new CancellationToken(canceled: true), "merge", config, folder["merged"]);
        Assert.Equal((130, "recall: stopped\n"), (run.ExitCode, run.Error));
        Assert.False(Directory.Exists(folder["merged"]));
    }

    /// <summary>Two tiny models a and b, and a config that averages them.</summary>
    internal static string WriteLinear(TemporaryFolder folder)
    {
        TinyModel.Write(folder["a"], 1);
        TinyModel.Write(folder["b"], 2);
        File.WriteAllText(folder["merge.yaml"], $$"""
            merge_method: linear
            models:
            - model: {{folder["a"]}}
              parameters: {weight: 0.5}
            - model: {{folder["b"]}}
              parameters: {weight: 0.5}
            """);
        return folder["merge.yaml"];
    }
}
