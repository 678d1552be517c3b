using System.CommandLine;
using Recall.Cli.Demo;
using Recall.Cli.Terminal;

namespace Recall.Cli.Commands;

/// <summary><c>recall demo</c>: forgetting, and merges against it, on models that come with the command.</summary>
sealed class DemoCommand : Verb
{
    readonly Option<string?> _out = new("--out", "-o")
    {
        Description = "The folder to write; it must be empty or not there [default: recall-demo, or with a number if that is taken]",
        HelpName = "FOLDER",
    };

    readonly Option<int> _seed = new("--seed")
    {
        Description = "Draws the words that the models are asked, and seeds the merges",
        HelpName = "N",
        DefaultValueFactory = _ => 0,
    };

    readonly Option<bool> _json = Common.Json();

    readonly Option<string?> _make = new("--make")
    {
        Description = "Write what the demo's models are trained from, and end",
        HelpName = "FOLDER",
        Hidden = true,
    };

    readonly Option<string?> _models = new("--models")
    {
        Description = "Show the models that were trained in a folder of --make",
        HelpName = "FOLDER",
        Hidden = true,
    };

    public DemoCommand() : base(
        "demo",
        "Shows how fine-tuning forgets, and what merging keeps. A tiny language model, four experts for four tasks, and a model that was "
        + "fine-tuned on one task after another come with the command. The experts are merged in several ways, all models are asked the "
        + "same words, and everything stays in a folder to be looked at. Needs no network and less than a minute.",
        "recall demo",
        "recall demo --out /tmp/demo --json | jq .models[].scores")
    {
        Add(_out);
        Add(_seed);
        Add(_json);
        Add(_make);
        Add(_models);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        if (parse.GetValue(_make) is { } workshop)
        {
            DemoWorkshop.Write(workshop);
            return ExitCode.Done;
        }
        // The models are so small that more threads would wait for one another longer than they work.
        TorchSharp.torch.set_num_threads(1);
        long begin = screen.Time.GetTimestamp();
        int seed = parse.GetValue(_seed);
        bool json = parse.GetValue(_json);
        var folder = new DemoFolder(parse.GetValue(_out) ?? DemoFolder.NextFree());
        var words = DemoWords.Draw(seed).HeldOut;
        folder.Fill(words, parse.GetValue(_models));
        using var progress = new ProgressLine(screen);
        var run = new DemoRun(folder, words, seed, progress.Report, cancellation);
        var tables = new DemoTables(json ? screen with { Out = TextWriter.Null } : screen);

        tables.Tasks(words);
        var (start, experts) = run.Experts().ToList() switch { var models => (models[0], models[1..]) };
        progress.Clear();
        tables.Experts([start, .. experts]);
        var sequential = run.Sequential().ToList();
        progress.Clear();
        tables.Sequential(sequential);
        var merges = run.Merges().ToList();
        progress.Clear();
        tables.Merges(experts, sequential[^1], merges);
        tables.Weights(merges.First(model => model.Weights is not null));
        var time = screen.Time.GetElapsedTime(begin);
        var best = DemoResult.Best(merges);
        tables.Next(folder, best, time);
        if (!json) return ExitCode.Done;

        ScoredModel[] all = [start, .. experts, .. sequential, .. merges];
        screen.WriteJson(new DemoResult(
            folder.Path, seed, [.. DemoTask.All.Select(task => task.Name)], words.Count, [.. all.Select(DemoResult.Model.Of)], best.Path,
            Math.Round(time.TotalSeconds, 3)));
        return ExitCode.Done;
    }
}
