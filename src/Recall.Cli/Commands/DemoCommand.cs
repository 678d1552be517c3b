using System.CommandLine;
using Recall.Cli.Demo;
using Recall.Cli.Terminal;

namespace Recall.Cli.Commands;

/// <summary><c>recall demo</c>: forgetting, and merges that undo it, on models that come with the command.</summary>
sealed class DemoCommand : Verb
{
    readonly Option<string?> _make = new("--make") { Description = "Write what the demo's models are trained from, and end", HelpName = "FOLDER", Hidden = true };

    readonly Option<string?> _models = new("--models") { Description = "Use the models of this folder", HelpName = "FOLDER", Hidden = true };
    readonly Option<string> _out = new("--out", "-o") { Description = "The folder to write", DefaultValueFactory = _ => "recall-demo" };
    readonly Option<int> _seed = new("--seed") { Description = "Draws the words", DefaultValueFactory = _ => 0 };

    public DemoCommand() : base(
        "demo",
        "Shows forgetting, and how merging undoes it, in under a minute.",
        "recall demo")
    {
        Add(_make);
        Add(_models);
        Add(_out);
        Add(_seed);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        if (parse.GetValue(_make) is { } folder)
        {
            DemoWorkshop.Write(folder);
            return ExitCode.Done;
        }
        var target = new DemoFolder(parse.GetValue(_out)!);
        target.Fill(parse.GetValue(_models));
        using var progress = new ProgressLine(screen);
        var run = new DemoRun(target, DemoWords.Draw(parse.GetValue(_seed)).HeldOut, parse.GetValue(_seed), progress.Report, cancellation);
        foreach (var model in run.Experts().Concat(run.Sequential()).Concat(run.Merges()))
            screen.Out.WriteLine($"{model.Name,-20} {string.Join("  ", model.Scores.Select(score => $"{score,6:0.00}"))}  {model.Mean:0.00}");
        return ExitCode.Done;
    }
}
