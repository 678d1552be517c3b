using Recall.Configuration;
using Recall.Methods;

namespace Recall.Tests.Mergekit;

/// <summary>What mergekit wrote for many configs, and how it failed for others; see the README of tests/fixtures/mergekit.</summary>
public class GoldenMergekitTests
{
    static string Root => MergekitCases.Root;

    public static TheoryData<string> Cases(bool errors)
    {
        var data = new TheoryData<string>();
        foreach (var (name, @case) in MergekitCases.Read())
        {
            if (@case.Program != "mergekit-yaml" || !@case.HasConfig || @case.IsError != errors) continue;
            if (!errors && MethodTable.Find(@case.Config.Method) is null) continue;
            data.Add(name);
        }
        return data;
    }

    [Theory, MemberData(nameof(Cases), false)]
    public void OutputIsThatOfMergekit(string name)
    {
        var @case = new MergekitCase(Root, name);
        using var folder = new TemporaryFolder();
        try
        {
            MergeRun.Run(@case.Config, @case.Options(folder["out"]));
        }
        catch (RecallException) when (@case.MayBeRefused)
        {
            CaseOutcome.Refused();
            Assert.False(Directory.Exists(folder["out"]), "something was written");
            return;     // mergekit's result is a defect, and a clear refusal is as good
        }
        if ((string)@case.Case["compare"]! == "statistics")
        {
            RandomMethodStatistics.Check(@case, Root, folder["out"]);
            return;
        }
        @case.Compare(folder["out"]);
        @case.CheckConfig(folder["out"]);
        @case.CheckTokenizer(folder["out"]);
        if (File.Exists(Path.Combine(@case.Folder, "proposed.safetensors"))) return;
        var shards = Directory.GetFiles(Path.Combine(@case.Folder, "expected"), "*.safetensors").Select(Path.GetFileName).Order();
        Assert.Equal(shards, Directory.GetFiles(folder["out"], "*.safetensors").Select(Path.GetFileName).Order());
        foreach (string shard in shards!)
            Assert.Equal(Names(Path.Combine(@case.Folder, "expected", shard)), Names(folder["out", shard]));
    }

    [Theory, MemberData(nameof(RandomCases))]
    public void SameSeedGivesTheSameBytesAndAnotherSeedAnotherMask(string name)
    {
        var @case = MergekitCases.Get(name);
        using var folder = new TemporaryFolder();
        var options = @case.Options(folder["one"]);
        MergeRun.Run(@case.Config, options);
        MergeRun.Run(@case.Config, options with { Output = folder["same"], Threads = 1 });
        MergeRun.Run(@case.Config, options with { Output = folder["other"], Seed = options.Seed + 1 });
        byte[] one = File.ReadAllBytes(folder["one", "model.safetensors"]);
        Assert.Equal(one, File.ReadAllBytes(folder["same", "model.safetensors"]));
        Assert.NotEqual(one, File.ReadAllBytes(folder["other", "model.safetensors"]));
        // mergekit's own draw passes the same checks.
        RandomMethodStatistics.Check(@case, Root, Path.Combine(@case.Folder, "expected"));
        RandomMethodStatistics.Check(@case, Root, folder["other"]);
    }

    public static TheoryData<string> RandomCases() =>
    [
        .. Cases(errors: false).Select(row => row.Data)
            .Where(name => (string)new MergekitCase(Root, name).Case["compare"]! == "statistics")
            .DefaultIfEmpty("none"),
    ];

    [Theory, MemberData(nameof(Cases), true)]
    public void WhatMergekitRefusesIsRefusedBeforeAnythingIsWritten(string name)
    {
        var @case = new MergekitCase(Root, name);
        using var folder = new TemporaryFolder();
        bool proposal = @case.Case["proposal"] is not null;
        try
        {
            MergeRun.Run(MergeConfig.Parse(@case.ConfigText, "config.yaml"), @case.Options(folder["out"]));
        }
        catch (RecallException e)
        {
            Assert.False(proposal && !((string)@case.Case["proposal"]!).Contains("clear error"), $"{name} should run: {@case.Case["proposal"]}, but: {e.Message}");
            CaseOutcome.Refused();
            Assert.InRange(e.Message.Length, 20, 1500);
            Assert.False(Directory.Exists(folder["out"]), "something was written");
            return;
        }
        Assert.True(proposal, $"mergekit refuses: {@case.Case["mergekit_message"]}");
        if (@case.Case["proposed"] is not null) @case.Compare(folder["out"]);
    }

    [Fact]
    public void ABaseThatIsWrittenDifferentlyIsTheSameModel()
    {
        var @case = MergekitCases.Get("147-error-base-written-differently");
        using var folder = new TemporaryFolder();
        MergeRun.Run(@case.Config, @case.Options(folder["one"]));
        string once = @case.ConfigText.Replace($"{{model: {Root}/./inputs/mini-base}}, ", "", StringComparison.Ordinal);
        Assert.NotEqual(@case.ConfigText, once);
        MergeRun.Run(MergeConfig.Parse(once, "config.yaml"), @case.Options(folder["other"]));
        Assert.Equal(File.ReadAllBytes(folder["one", "model.safetensors"]), File.ReadAllBytes(folder["other", "model.safetensors"]));
    }

    static IEnumerable<string> Names(string file) => Recall.Checkpoints.Checkpoint.Open(file).Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal);
}
