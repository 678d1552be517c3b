using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Reflection;
using Recall.Cli.Commands;
using Recall.Cli.Terminal;

namespace Recall.Cli;

/// <summary>The command <c>recall</c>: its subcommands, and what becomes of their errors.</summary>
static class RecallCommand
{
    const string Name = "recall";

    /// <summary>Runs a command line; everything that is shown goes to <paramref name="screen"/>.</summary>
    /// <returns>The exit code, see <see cref="ExitCode"/>.</returns>
    public static int Run(string[] args, Screen screen, CancellationToken cancellation = default)
    {
        var quiet = new Option<bool>("--quiet", "-q")
        {
            Description = "Show results and errors only: no progress, no notes",
            Recursive = true,
        };
        var debug = new Option<bool>("--debug") { Description = "Show where in Recall an error came from", Recursive = true };
        var root = new Command(Name, "Merges fine-tuned language models by what their layers represent, streamed from disk to disk.")
        {
            new HelpOption { Action = new HelpWithExamples(screen.Out) }, new VersionOption { Action = new VersionAction(screen.Out) },
            quiet, debug,
        };
        foreach (var verb in Verbs())
        {
            verb.SetAction(parse => verb.Run(parse, screen with { Quiet = parse.GetValue(quiet) }, cancellation));
            root.Add(verb);
        }
        root.SetAction(new HelpWithExamples(screen.Out).Invoke);

        var parse = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parse.Action is ParseErrorAction) return Refuse(parse, screen);
        try
        {
            var streams = new InvocationConfiguration { Output = screen.Out, Error = screen.Error, EnableDefaultExceptionHandler = false };
            return parse.Invoke(streams);
        }
        catch (Exception e)
        {
            return Explain(Cause(e), parse.GetValue(debug), screen, cancellation);
        }
    }

    /// <summary>Every command, in the order of the help.</summary>
    public static IEnumerable<Verb> Verbs() =>
    [
        new MergeCommand(), new PlanCommand(), new SelectCommand(), new WeightsCommand(), new CardCommand(), new RepresentCommand(), new TokenizeCommand(),
        new ConvertCommand(), new InspectCommand(), new DiffCommand(), new TrainCommand(), new EvalCommand(), new DemoCommand(),
        new MultiCommand(), new MoeCommand(), new RawCommand(), new LegacyCommand(), new LayerShuffleCommand(), new BakllamaCommand(),
        new ExtractLoraCommand(), new TokenSurgeonCommand(), new MergekitCommand(),
    ];

    static int Refuse(ParseResult parse, Screen screen)
    {
        if (parse.CommandResult.Command is { Name: Name } root && parse.UnmatchedTokens is [var word, ..])
        {
            string? near = Quoted.Nearest(word, root.Subcommands.Select(verb => verb.Name));
            screen.Error.WriteLine($"recall: there is no command {Quoted.Of(word)}" + (near is null ? "" : $"; did you mean '{near}'?"));
        }
        else
        {
            foreach (var error in parse.Errors) screen.Error.WriteLine($"recall: {error.Message}");
        }
        string command = parse.CommandResult.Command.Name is Name ? Name : $"{Name} {parse.CommandResult.Command.Name}";
        screen.Error.WriteLine($"See: {command} --help");
        return ExitCode.BadUsage;
    }

    static int Explain(Exception error, bool debug, Screen screen, CancellationToken cancellation)
    {
        switch (error)
        {
            case OperationCanceledException when cancellation.IsCancellationRequested:
                screen.Error.WriteLine("recall: stopped");
                return ExitCode.Stopped;
            case RecallException or IOException or UnauthorizedAccessException:
                screen.Error.WriteLine($"recall: {error.Message}");
                if (debug) screen.Error.WriteLine(error);
                return error is ConfigurationException ? ExitCode.BadUsage : ExitCode.Failed;
            default:
                screen.Error.WriteLine($"recall: this is a defect of Recall, please report it: {error.GetType().Name}: {error.Message}");
                screen.Error.WriteLine(debug
                    ? error.ToString()
                    : "With --debug the place in the code is shown too; please put that in the report.");
                return ExitCode.Failed;
        }
    }

    /// <summary>Of work on several threads, what went wrong first.</summary>
    static Exception Cause(Exception error) => error is AggregateException { InnerExceptions: [var first, ..] } ? Cause(first) : error;

    sealed class HelpWithExamples(TextWriter output) : SynchronousCommandLineAction
    {
        readonly HelpAction _help = new() { MaxWidth = 110 };

        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var verbs = parseResult.CommandResult.Command.Subcommands.OfType<Verb>();
            foreach (var listed in verbs) listed.Description = listed.Summary;
            using var text = new StringWriter();
            parseResult.InvocationConfiguration.Output = text;
            _help.Invoke(parseResult);
            foreach (string line in text.ToString().TrimEnd().Split('\n')) output.WriteLine(line.TrimEnd());
            if (parseResult.CommandResult.Command is not Verb verb) return ExitCode.Done;
            output.WriteLine();
            output.WriteLine(verb.Examples.Count == 1 ? "Example:" : "Examples:");
            foreach (string example in verb.Examples) output.WriteLine("  " + example);
            return ExitCode.Done;
        }
    }

    sealed class VersionAction(TextWriter output) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var version = typeof(RecallCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
            output.WriteLine($"recall {version.Split('+')[0]}");
            return ExitCode.Done;
        }
    }
}
