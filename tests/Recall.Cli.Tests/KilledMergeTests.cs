using System.Diagnostics;
using System.Security.Cryptography;
using Recall.Checkpoints;

namespace Recall.Cli.Tests;

/// <summary>The command as a process of its own, ended from outside at any moment, and on a disk that is too small.</summary>
public sealed class KilledMergeTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly string _config;

    public KilledMergeTests()
    {
        // A few dozen megabytes: long enough to be hit in the middle, most of the time.
        foreach (var (name, seed) in new[] { ("a", 1), ("b", 2) }) WriteModel(_folder[name], seed);
        _config = _folder["merge.yaml"];
        File.WriteAllText(_config, $"merge_method: slerp\nbase_model: {_folder["a"]}\nmodels: [{_folder["a"]}, {_folder["b"]}]\nparameters: {{t: 0.3}}\n");
    }

    static void WriteModel(string folder, int seed)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(seed);
        var values = new byte[8 << 20];
        random.NextBytes(values);
        for (int i = 1; i < values.Length; i += 2) values[i] = (byte)(0x3C | (values[i] & 0x80));     // bfloat16 of ordinary size
        var tensors = Enumerable.Range(0, 6).Select(layer => new Recall.Checkpoints.Safetensors.TensorBytes(
            $"trunk.layers.{layer}.weight", Recall.Numerics.DType.BF16, new Shape(values.Length / 2), values));
        Recall.Checkpoints.Safetensors.SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), tensors);
        File.WriteAllText(Path.Combine(folder, "config.json"), """{"architectures": ["TrunkForCausalLM"], "num_hidden_layers": 6}""");
    }

    Process Start(string output)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in new[] { "exec", typeof(RecallCommand).Assembly.Location, "merge", _config, output, "--threads", "1" }) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    [Theory]
    [InlineData("KILL")]
    [InlineData("INT")]
    public async Task WhatAnEndedProcessLeavesIsNoModelAndCanBeGoneOnWith(string signal)
    {
        string output = _folder["out"];
        using (var process = Start(output))
        {
            while (!process.HasExited && !(Directory.Exists(output) && Directory.EnumerateFiles(output).Any())) await Task.Delay(1);
            using (var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString()])) await kill.WaitForExitAsync();
            await process.WaitForExitAsync();
            bool whole = File.Exists(Path.Combine(output, "config.json"));
            if (!whole && Directory.Exists(output)) Assert.DoesNotContain(Directory.GetFiles(output), file => file.EndsWith("config.json"));
            if (signal == "INT" && !whole) Assert.Equal(130, process.ExitCode);
            if (whole) Directory.Delete(output, recursive: true);
        }
        Assert.Equal(0, await Ended(Start(output)));
        Assert.Equal(0, await Ended(Start(_folder["whole"])));
        Assert.Equal(Hash(_folder["whole"]), Hash(output));
        Assert.DoesNotContain(Directory.GetFiles(output), file => file.EndsWith(".partial") || file.EndsWith(".journal"));
    }

    [Fact]
    public async Task ADiskThatIsTooSmallIsNamedAndNothingIsLeft()
    {
        Assert.SkipUnless(Environment.UserName == "root", "a small disk is mounted for this test, which takes root");
        string disk = _folder["disk"];
        Directory.CreateDirectory(disk);
        using (var mount = Process.Start("mount", ["-t", "tmpfs", "-o", "size=4m", "none", disk]))
        {
            await mount.WaitForExitAsync();
            Assert.SkipUnless(mount.ExitCode == 0, "a small disk cannot be mounted here");
        }
        try
        {
            using var process = Start(Path.Combine(disk, "out"));
            string error = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.Equal(1, process.ExitCode);
            Assert.Contains("the output needs", error);
            Assert.Empty(Directory.GetFileSystemEntries(disk));
        }
        finally
        {
            using var unmount = Process.Start("umount", [disk]);
            await unmount.WaitForExitAsync();
        }
    }

    static async Task<int> Ended(Process process)
    {
        using (process)
        {
            var output = process.StandardOutput.ReadToEndAsync();
            await process.StandardError.ReadToEndAsync();
            await output;
            await process.WaitForExitAsync();
            return process.ExitCode;
        }
    }

    static string Hash(string folder)
    {
        using var file = File.OpenRead(Path.Combine(folder, "model.safetensors"));
        return Convert.ToHexString(SHA256.HashData(file));
    }

    public void Dispose() => _folder.Dispose();
}
