using System.CommandLine;
using Recall.Cli.Demo;
using Recall.Cli.Terminal;

namespace Recall.Cli.Commands;

/// <summary><c>recall demo</c>: forgetting, and merges that undo it, on models that come with the command.</summary>
sealed class DemoCommand : Verb
{
    readonly Option<string?> _make = new("--make") { Description = "Write what the demo's models are trained from, and end", HelpName = "FOLDER", Hidden = true };

    public DemoCommand() : base(
        "demo",
        "Shows forgetting, and how merging undoes it, in under a minute.",
        "recall demo")
    {
        Add(_make);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        if (parse.GetValue(_make) is { } folder)
        {
            DemoWorkshop.Write(folder);
            return ExitCode.Done;
        }
        return ExitCode.Done;
    }
}
