namespace Recall.Cli.Tests.Commands;

public sealed class ExtractLoraCommandTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    string Base => TinyModel.Write(_folder["base"], 1);

    /// <summary>The base with an adapter of rank 2 on the q projections applied.</summary>
    string Tuned => $"{Base}+{TinyModel.WriteAdapter(_folder["adapter"], 5)}";

    [Fact]
    public void AnAdapterComesBackOutOfTheModelThatItMade()
    {
        string tuned = Tuned;
        var run = Session.Run("extract-lora", "--model", tuned, "--base-model", _folder["base"], "--out-path", _folder["out"], "--max-rank", "2", "--skip-undecomposable", "-i", "self_attn", "--cuda", "--out-shard-size", "5B");
        Assert.Equal(0, run.ExitCode);
        Assert.Contains("note: --cuda, --out-shard-size: of mergekit, without meaning here\n", run.Error);
        Assert.Contains("model.layers.0.self_attn.k_proj: does not differ: left out", run.Error);
        Assert.Matches("(?m)^model\\.layers\\.1\\.self_attn\\.q_proj +2 +0\\.00 %$", run.Out);
        Assert.Equal(0, Session.Run("convert", tuned, _folder["wanted"]).ExitCode);
        Assert.Equal(0, Session.Run("convert", $"{_folder["base"]}+{_folder["out"]}", _folder["got"]).ExitCode);
        Assert.Equal(0, Session.Run("diff", _folder["wanted"], _folder["got"], "--tolerance", "1e-5").ExitCode);
        Assert.Contains("# out", File.ReadAllText(_folder["out", "README.md"]));
    }

    /// <summary>As merge shows it: a line that moves in a terminal, else a line every five seconds.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void ProgressIsShownInBytes(bool terminal)
    {
        string[] line = ["extract-lora", "--model", TinyModel.Write(_folder["a"], 2), "--base-model", Base, "--out-path", _folder["out"]];
        var run = Session.Run(screen => screen with { ErrorIsTerminal = terminal, Time = new Hasty() }, CancellationToken.None, line);
        Assert.Equal(0, run.ExitCode);
        string form = @"model\.layers\.1\.mlp\.up_proj +\d+ %  [\d.]+ kB of [\d.]+ kB, [\d.]+ k?B/s, [\d.a-z ]+ left";
        Assert.Matches(terminal ? $"\r{form}\u001b\\[K" : $"(?m)^{form}$", run.Error);
        Assert.Equal(terminal, run.Error.EndsWith("\r\u001b[K", StringComparison.Ordinal));
    }

    /// <summary>Five seconds between two looks at the clock.</summary>
    sealed class Hasty : TimeProvider
    {
        long _seconds;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => _seconds += 5;
    }

    [Fact]
    public void TheReportIsJsonToo()
    {
        var run = Session.Run("extract-lora", "--model", TinyModel.Write(_folder["a"], 2), "--base-model", Base, "--out-path", _folder["out"], "--max-rank", "3", "--json", "-q");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var modules = System.Text.Json.Nodes.JsonNode.Parse(run.Out)!["modules"]!.AsArray();
        Assert.Equal(21, modules.Count);
        Assert.All(modules.Where(module => module!["rank"] is not null), module => Assert.InRange((double)module!["lost"]!, 0.01, 0.99));
    }

    [Theory]
    [InlineData(2, "--max-rank 0: a rank is at least 1", "--max-rank", "0")]
    [InlineData(1, "regular expression", "-e", "(")]
    [InlineData(2, "has no such module", "--save-module", "nothing")]
    [InlineData(2, "exclude one another", "--distribute-scale", "--no-distribute-scale")]
    public void BadOptionsAreRefused(int code, string part, params string[] options)
    {
        var run = Session.Run(["extract-lora", "--model", TinyModel.Write(_folder["a"], 2), "--base-model", Base, "--out-path", _folder["out"], .. options]);
        Assert.Equal(code, run.ExitCode);
        Assert.Contains(part, run.Error);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    public void Dispose() => _folder.Dispose();
}
