using System.Text.Json.Nodes;

namespace Recall.Cli.Tests.Commands;

public class EvalCommandTests
{
    static string Model => Repository.Fixture("lm-eval", "model");

    static string Task(string name) => Repository.Fixture("lm-eval", "tasks", $"{name}.yaml");

    /// <summary>The same model with its last norm turned down: it knows less.</summary>
    static string Dull(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(Model)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        string path = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        int header = (int)BitConverter.ToInt64(bytes);
        var norm = JsonNode.Parse(bytes.AsSpan(8, header))!["model.norm.weight"]!["data_offsets"]!;
        for (int at = 8 + header + (int)norm[0]!; at < 8 + header + (int)norm[1]!; at += 4)
            BitConverter.TryWriteBytes(bytes.AsSpan(at), BitConverter.ToSingle(bytes, at) * 0.3f);
        File.WriteAllBytes(path, bytes);
        return folder;
    }

    [Fact]
    public void TasksGiveLmEvalsAccuraciesAsJson()
    {
        var run = Session.Run("eval", Model, "--tasks", Task("mc_fields"), Task("ll_cloze"), "--json");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var tasks = JsonNode.Parse(run.Out)!["models"]![0]!["tasks"]!;
        var expected = JsonNode.Parse(File.ReadAllText(Repository.Fixture("lm-eval", "results.json")))!["mc_fields"]!["results"]!;
        Assert.Equal("mc_fields", (string?)tasks[0]!["task"]);
        Assert.Equal((double)expected["acc"]!, (double)tasks[0]!["acc"]!, 1e-8);
        Assert.Equal((double)expected["acc_stderr"]!, (double)tasks[0]!["acc_stderr"]!, 1e-8);
        Assert.Equal((double)expected["acc_norm"]!, (double)tasks[0]!["acc_norm"]!, 1e-8);
        Assert.InRange((double)tasks[0]!["loss"]!, 0.01, 20);
        Assert.Null(tasks[1]!["acc"]);
        Assert.InRange((int)tasks[1]!["tokens"]!, 1, 1000);
        Assert.Null(JsonNode.Parse(run.Out)!["base"]);
    }

    [Fact]
    public void KeptGainsAndTextStandInTheTable()
    {
        using var folder = new TemporaryFolder();
        string dull = Dull(folder["dull"]);
        File.WriteAllText(folder["plain.txt"], "Then Omar gave 5 apples to Tom. There Tom found 6 eggs.\n");
        var run = Session.Run(
            "eval", Model, dull, "--tasks", Task("mc_fields"), Task("ll_cloze"), "--limit", "5", "--base", dull, "--experts", Model, Model, "--text", folder["plain.txt"], "--window", "16");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Expected.Match("eval.txt", run.Out);
        var lines = run.Out.Split('\n');
        Assert.Contains(lines, line => line.Contains("kept, worst", StringComparison.Ordinal) && line.EndsWith(" 100.0 %            0.0 %", StringComparison.Ordinal));
    }

    [Fact]
    public void RowsOfPromptAndAnswerAreATask()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["rows.jsonl"], "{\"prompt\": \"The opposite of wet is\", \"answer\": \"dry\"}\n");
        var run = Session.Run("eval", Model, "-t", folder["rows.jsonl"], "--json");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var task = JsonNode.Parse(run.Out)!["models"]![0]!["tasks"]![0]!;
        // lm-eval gives −0.0371702 for these three tokens.
        Assert.Equal((3, 0.0371702 / 3), ((int)task["tokens"]!, (double)task["loss"]!), new Near(1e-5));
    }

    sealed class Near(double tolerance) : IEqualityComparer<(int Tokens, double Loss)>
    {
        public bool Equals((int Tokens, double Loss) x, (int Tokens, double Loss) y) => x.Tokens == y.Tokens && Math.Abs(x.Loss - y.Loss) < tolerance;

        public int GetHashCode((int Tokens, double Loss) obj) => obj.Tokens;
    }

    [Theory]
    [InlineData("nothing to score: give --tasks FILES, --text FILE or both", "eval", "m")]
    [InlineData("--base and --experts go together", "eval", "m", "--tasks", "a.yaml", "--base", "b")]
    [InlineData("--base and --experts go together", "eval", "m", "--tasks", "a.yaml", "--experts", "b")]
    [InlineData("--experts names 1 for 2 tasks", "eval", "m", "--tasks", "a.yaml", "b.yaml", "--base", "b", "--experts", "e")]
    [InlineData("--limit 0: a number above 0 is expected", "eval", "m", "--tasks", "a.yaml", "--limit", "0")]
    [InlineData("--split 'dev': one of test, validation, training is expected", "eval", "m", "--tasks", "a.yaml", "--split", "dev")]
    [InlineData("--window 1: 2 or more is expected", "eval", "m", "--text", "a.txt", "--window", "1")]
    public void WhatCannotBeMeantIsBadUsage(string message, params string[] line)
    {
        var run = Session.Run(line);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AModelWithoutTokenizerAndASplitThatIsNotThereAreNamed()
    {
        using var folder = new TemporaryFolder();
        var bare = Session.Run("eval", TinyModel.Write(folder["tiny"], 1), "--tasks", Task("mc_fields"));
        Assert.Equal(1, bare.ExitCode);
        Assert.Contains("has no tokenizer.json", bare.Error, StringComparison.Ordinal);
        var split = Session.Run("eval", Model, "--tasks", Task("mc_fields"), "--split", "validation");
        Assert.Equal(2, split.ExitCode);
        Assert.Contains("names no validation_split", split.Error, StringComparison.Ordinal);
    }
}
