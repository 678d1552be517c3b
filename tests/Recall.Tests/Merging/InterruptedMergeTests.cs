using Recall.Configuration;
using Recall.Planning;

namespace Recall.Tests.Merging;

/// <summary>Whatever stops a merge, what it leaves never looks like a model; started again it gives the same bytes as in one go.</summary>
public sealed class InterruptedMergeTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly MergeConfig _config;

    public InterruptedMergeTests()
    {
        TinyModel.Write(_folder["a"], 1);
        TinyModel.Write(_folder["b"], 2);
        _config = MergeConfig.Parse($"merge_method: slerp\nbase_model: {_folder["a"]}\nmodels: [{_folder["a"]}, {_folder["b"]}]\nparameters: {{t: 0.3}}\n", "merge.yaml");
    }

    MergeOptions Options(string output, int threads = 2) => new() { Output = _folder[output], Threads = threads, JournalInterval = TimeSpan.Zero, GroupBytes = 1000 };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void SameBytesOnAnyNumberOfThreads(int threads)
    {
        MergeRun.Run(_config, Options("one", 1));
        MergeRun.Run(_config, Options("many", threads));
        Assert.Equal(TinyModel.Bytes(_folder["one"]), TinyModel.Bytes(_folder["many"]));
    }

    [Fact]
    public void ACancelledMergeIsNoModelAndGoesOnWhereItWas()
    {
        MergeRun.Run(_config, Options("whole"));
        using var cancellation = new CancellationTokenSource();
        long total = 0, before = 0;
        var stop = new Listener(progress =>
        {
            total = progress.BytesTotal;
            if (progress.BytesDone > progress.BytesTotal / 2) cancellation.Cancel();
        });
        Assert.Throws<OperationCanceledException>(() => MergeRun.Run(_config, Options("out", 1), stop, cancellation.Token));
        AssertIsNoModel();
        Assert.Contains("recall.journal", Names());

        var seen = new Listener(progress => before = before == 0 ? progress.BytesDone : before);
        MergeRun.Run(_config, Options("out"), seen);
        Assert.True(before > total / 3, $"began at {before} of {total}");
        Assert.Equal(TinyModel.Bytes(_folder["whole"]), TinyModel.Bytes(_folder["out"]));
    }

    [Fact]
    public void WhatAnotherConfigLeftIsBegunAfresh()
    {
        MergeRun.Run(_config, Options("whole"));
        var other = MergeConfig.Parse(_config.Text.Replace("0.3", "0.8"), "merge.yaml");
        using var cancellation = new CancellationTokenSource();
        var stop = new Listener(progress => { if (progress.BytesDone > progress.BytesTotal / 2) cancellation.Cancel(); });
        Assert.Throws<OperationCanceledException>(() => MergeRun.Run(other, Options("out", 1), stop, cancellation.Token));
        MergeRun.Run(_config, Options("out"));
        Assert.Equal(TinyModel.Bytes(_folder["whole"]), TinyModel.Bytes(_folder["out"]));
    }

    [Fact]
    public void WithoutAJournalACancelledMergeLeavesNothing()
    {
        using var cancellation = new CancellationTokenSource();
        var stop = new Listener(progress => { if (progress.BytesDone > progress.BytesTotal / 2) cancellation.Cancel(); });
        var options = Options("out", 1) with { JournalInterval = TimeSpan.FromHours(1) };
        Assert.Throws<OperationCanceledException>(() => MergeRun.Run(_config, options, stop, cancellation.Token));
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Fact]
    public void AFolderInUseIsRefusedAndLeftAsItIs()
    {
        Directory.CreateDirectory(_folder["out"]);
        File.WriteAllText(_folder["out", "notes.txt"], "mine");
        var error = Assert.Throws<RecallException>(() => MergeRun.Run(_config, Options("out")));
        Assert.Contains("notes.txt", error.Message);
        Assert.Equal(["notes.txt"], Names());
    }

    [Fact]
    public void AFileInPlaceOfTheFolderIsRefused()
    {
        File.WriteAllText(_folder["out"], "mine");
        Assert.Contains("is a file", Assert.Throws<RecallException>(() => MergeRun.Run(_config, Options("out"))).Message);
    }

    void AssertIsNoModel()
    {
        Assert.DoesNotContain("config.json", Names());
        Assert.DoesNotContain(Names(), name => name.EndsWith(".safetensors"));
    }

    string[] Names() => [.. Directory.GetFileSystemEntries(_folder["out"]).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Dispose();
}
