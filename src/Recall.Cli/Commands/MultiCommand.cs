using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall multi</c>: several merges that are made of each other.</summary>
sealed class MultiCommand : Verb
{
    readonly Argument<string> _config = new("CONFIG")
    {
        Description = "A file of several merges, one YAML document each; 'name' makes one a model to the others",
    };

    readonly Option<string> _output = new("--out-path")
    {
        Description = "The folder to write for the document without a name",
        HelpName = "OUT",
        DefaultValueFactory = _ => "",
    };

    readonly Option<string> _intermediate = new("--intermediate-dir", "-I")
    {
        Description = "The folder in which each document with a name gets a folder of that name",
        HelpName = "DIR",
        Required = true,
    };

    readonly Switch _lazy = new("--lazy", true, "Make models again that are in their folders already");
    readonly MergeFlags _flags = new();
    readonly Option<bool> _json = new("--json") { Description = "Write a JSON object for each merge" };

    public MultiCommand() : base(
        "multi",
        "Runs several merges that are made of each other (mergekit-multi). All are planned before the first one is run. What an earlier "
        + "run has finished is kept; a merge that was killed goes on where it was.",
        "recall multi chain.yaml --out-path merged -I parts")
    {
        Add(_config);
        Add(_output);
        Add(_intermediate);
        _lazy.AddTo(this);
        _flags.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var options = _flags.Read(parse, parse.GetValue(_output)!, screen);
        var config = MultiConfig.Read(parse.GetRequiredValue(_config));
        var plan = MultiPlan.Make(config, options, parse.GetRequiredValue(_intermediate), _lazy.Value(parse));
        foreach (string note in plan.Notes) screen.Note($"note: {Shown.Text(note)}");
        foreach (var step in plan.Steps)
        {
            if (step.Forecast is null) screen.Note($"note: {Shown.Text(step.Options.Output)} is there already and is kept");
            else MergeShow.Run(Noted(step.Plan(), screen), screen, parse.GetValue(_json), cancellation);
        }
        return ExitCode.Done;
    }

    static MergePlan Noted(MergePlan plan, Screen screen)
    {
        foreach (string note in plan.Notes) screen.Note($"note: {Shown.Text(note)}");
        return plan;
    }
}
