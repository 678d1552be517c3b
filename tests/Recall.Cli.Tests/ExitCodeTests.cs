namespace Recall.Cli.Tests;

public class ExitCodeTests
{
    [Fact]
    public void AnUnknownCommandIsBadUsageAndTheNearestIsNamed()
    {
        var run = Session.Run("inspct", "x");
        Assert.Equal(2, run.ExitCode);
        Assert.Equal("recall: there is no command 'inspct'; did you mean 'inspect'?\nSee: recall --help\n", run.Error);
        Assert.Empty(run.Out);
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("inspect", "a", "b")]
    [InlineData("inspect", "a", "--no-such-option")]
    [InlineData("diff", "a", "b", "--tolerance", "much")]
    [InlineData("diff", "a", "b", "--tolerance", "-1")]
    [InlineData("diff", "a", "b", "--threads", "0")]
    [InlineData("inspect", "a+b+c")]
    public void BadUsageIsTwo(params string[] args)
    {
        var run = Session.Run(args);
        Assert.Equal(2, run.ExitCode);
        Assert.StartsWith("recall: ", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Out);
    }

    [Fact]
    public void WhatIsNotThereIsOneAndTheNearestIsNamed()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["expert"], 1);
        var run = Session.Run("inspect", folder["exprt"]);
        Assert.Equal(1, run.ExitCode);
        Assert.Equal($"recall: {folder["exprt"]}: no such model; did you mean '{folder["expert"]}'?\n", run.Error);
    }

    [Fact]
    public void AStoppedCommandIsOneHundredAndThirty()
    {
        using var folder = new TemporaryFolder();
        string model = TinyModel.Write(folder["a"], 1);
        var run = Session.Run(screen => screen, new CancellationToken(canceled: true), "diff", model, model);
        Assert.Equal((130, "recall: stopped\n", ""), (run.ExitCode, run.Error, run.Out));
    }

    [Fact]
    public void ADefectAsksForAReportAndDebugShowsItsPlace()
    {
        using var folder = new TemporaryFolder();
        string model = TinyModel.Write(folder["a"], 1);
        using var broken = new BrokenWriter();
        var run = Session.Run(screen => screen with { Out = broken }, CancellationToken.None, "inspect", model);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("please report it: InvalidOperationException: broken", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(" at Recall", run.Error, StringComparison.Ordinal);
        run = Session.Run(screen => screen with { Out = broken }, CancellationToken.None, "inspect", model, "--debug");
        Assert.Contains(" at Recall", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void TheVersionIsThatOfRecall() => Assert.Matches(@"^recall \d+\.\d+\.\d+\S*\n$", Session.Run("--version").Out);

    sealed class BrokenWriter : StringWriter
    {
        public override void Write(char value) => throw new InvalidOperationException("broken");

        public override void Write(string? value) => throw new InvalidOperationException("broken");

        public override void WriteLine(string? value) => throw new InvalidOperationException("broken");
    }
}
