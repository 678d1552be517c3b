using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Cli.Demo;
using Recall.Training;

namespace Recall.Cli.Tests.Commands;

public class DemoCommandTests
{
    static readonly string[] Tasks = [.. DemoTask.All.Select(task => task.Name)];

    [Fact, Trait("slow", "true")]
    public void ExpertsAreBestAtTheirTaskFineTuningForgetsAndMergesKeepMore()
    {
        using var folder = new TemporaryFolder();
        var run = Session.Run("demo", "--out", folder["demo"], "--json", "--quiet");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var result = JsonNode.Parse(run.Out)!;
        Assert.Equal(Tasks, result["tasks"]!.AsArray().Select(task => (string?)task));
        Assert.Equal(DemoWords.HeldOutCount, (int)result["words"]!);

        var models = result["models"]!.AsArray().Select(model => model!).ToList();
        Assert.Equal(
            ["base", .. Tasks.Select(_ => "expert"), .. Tasks.Select(_ => "sequential"), .. DemoMerge.All.Select(_ => "merge")],
            models.Select(model => (string?)model["kind"]));
        Assert.All(models, model => Assert.Equal(Tasks, model["scores"]!.AsObject().Select(score => score.Key)));

        var experts = models.Where(model => (string?)model["kind"] == "expert").ToList();
        foreach (var expert in experts)
        {
            string own = (string)expert["name"]!;
            Assert.True(Score(expert, own) >= 0.85, $"{own}: {Score(expert, own)}");
            var others = experts.Append(models[0]).Where(other => other != expert);
            Assert.All(others, other => Assert.True(Score(other, own) < Score(expert, own) - 0.2));
        }

        var sequential = models.Where(model => (string?)model["kind"] == "sequential").ToList();
        Assert.All(sequential, stage => Assert.True(Score(stage, (string)stage["name"]!) >= 0.85));
        Assert.All(sequential.SkipLast(1), stage =>
            Assert.True(Score(sequential[^1], (string)stage["name"]!) < 0.5 * Score(stage, (string)stage["name"]!)));

        var merges = models.Where(model => (string?)model["kind"] == "merge").ToList();
        Assert.All(merges, merge => Assert.True((double)merge["earlier_tasks"]! > (double)sequential[^1]["earlier_tasks"]! + 0.2));
        Assert.All(merges, merge => Assert.Equal(0, Session.Run("plan", (string)merge["config"]!, folder["planned"]).ExitCode));
        Assert.All(merges.Where(merge => ((string)merge["name"]!).Contains("distil", StringComparison.Ordinal)), merge =>
            Assert.True((double)merge["earlier_tasks"]! > (double)merges[0]["earlier_tasks"]! + 0.05));
        var layers = merges.Single(merge => merge["layer_weights"] is not null)["layer_weights"]!.AsArray();
        Assert.Equal(5, layers.Count);
        Assert.All(layers, layer => Assert.Equal(1, layer!.AsArray().Sum(weight => (double)weight!), 1e-9));

        string merged = (string)result["merged"]!;
        Assert.StartsWith(folder["demo"], merged, StringComparison.Ordinal);
        Assert.Equal(38, Checkpoint.Open(merged).Tensors.Count);
        Assert.All(models, model => Assert.Equal(0, Session.Run("inspect", ((string)model["path"]!).Split('+')[^1]).ExitCode));
    }

    [Fact, Trait("slow", "true")]
    public void APersonSeesTablesWeightsAndWhereAllLies()
    {
        using var folder = new TemporaryFolder();
        var run = Session.Run("demo", "--out", folder["demo"], "--seed", "3", "--quiet");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        string[] lines = run.Out.Split('\n');
        string[] begins =
        [
            "base ", "expert in upper ", "after training on ", "forgotten ", "fine-tuned in turn ",
            "RECALL as published ", "embedding ",
        ];
        foreach (string first in begins)
            Assert.Contains(lines, line => line.TrimStart().StartsWith(first, StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith($"  recall inspect {folder["demo", "merged"]}", StringComparison.Ordinal));
        foreach (string line in File.ReadAllLines(folder["demo", "recall.yaml"])) Assert.Contains("  " + line, lines);
    }

    [Fact]
    public void AFolderThatHoldsSomethingIsLeftAlone()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["mine.txt"], "mine");
        var run = Session.Run("demo", "--out", folder.Path);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("is not empty", run.Error, StringComparison.Ordinal);
        Assert.Equal([folder["mine.txt"]], Directory.GetFileSystemEntries(folder.Path));
        Assert.Contains("is a file", Session.Run("demo", "--out", folder["mine.txt"]).Error, StringComparison.Ordinal);
        Assert.Contains("'+'", Session.Run("demo", "--out", folder["a+b"]).Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["a+b"]));
    }

    [Fact]
    public void AStoppedDemoEndsWithTheCodeOfAStop()
    {
        using var folder = new TemporaryFolder();
        var run = Session.Run(screen => screen, new CancellationToken(canceled: true), "demo", "--out", folder["demo"]);
        Assert.Equal(130, run.ExitCode);
        Assert.False(Directory.Exists(folder["demo", "merged"]));
    }

    [Fact]
    public void TheShippedBaseComesFromWhatMakeWrites()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(0, Session.Run("demo", "--make", folder["workshop"]).ExitCode);
        new DemoFolder(folder["demo"]).Fill(["fulup"], models: null);
        Assert.Equal(
            File.ReadAllBytes(folder["workshop", "untrained", "tokenizer.json"]),
            File.ReadAllBytes(folder["demo", "base", "tokenizer.json"]));
        var (before, after) = (Checkpoint.Open(folder["workshop", "untrained"]), Checkpoint.Open(folder["demo", "base"]));
        Assert.Equal(Shapes(before), Shapes(after));

        var runs = Directory.GetFiles(folder["workshop"], "*.yaml").Select(TrainConfig.Read).ToList();
        Assert.Equal(1 + Tasks.Length + (Tasks.Length - 1), runs.Count);
        Assert.All(runs, run => Assert.True(run.Output == "base" || Directory.Exists(folder["demo", run.Output]), run.Output));
        Assert.All(runs.SelectMany(run => run.Data), data => Assert.True(File.Exists(folder["workshop", data]), data));
    }

    static Dictionary<string, Shape> Shapes(Checkpoint checkpoint) =>
        checkpoint.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Shape);

    static double Score(JsonNode model, string task) => (double)model["scores"]![task]!;
}
