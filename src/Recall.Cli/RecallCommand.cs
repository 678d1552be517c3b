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
        foreach (var verb in VerbsFor(args))
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

    /// <summary>What is typed for each command, and what makes it, in the order of the help.</summary>
    internal static readonly (string Name, Func<Verb> Make)[] Table =
    [
        ("merge", () => new MergeCommand()), ("plan", () => new PlanCommand()), ("select", () => new SelectCommand()), ("weights", () => new WeightsCommand()),
        ("card", () => new CardCommand()), ("represent", () => new RepresentCommand()), ("tokenize", () => new TokenizeCommand()),
        ("convert", () => new ConvertCommand()), ("inspect", () => new InspectCommand()), ("diff", () => new DiffCommand()),
        ("train", () => new TrainCommand()), ("eval", () => new EvalCommand()), ("demo", () => new DemoCommand()), ("multi", () => new MultiCommand()),
        ("moe", () => new MoeCommand()), ("raw", () => new RawCommand()), ("legacy", () => new LegacyCommand()),
        ("layershuffle", () => new LayerShuffleCommand()), ("bakllama", () => new BakllamaCommand()),
        ("extract-lora", () => new ExtractLoraCommand()), ("tokensurgeon", () => new TokenSurgeonCommand()), ("mergekit", () => new MergekitCommand()),
    ];

    /// <summary>Every command, in the order of the help.</summary>
    public static IEnumerable<Verb> Verbs() => Table.Select(row => row.Make());

    /// <summary>The command that the first word names, else all of them: to make them all takes longer than to plan a merge.</summary>
    static IEnumerable<Verb> VerbsFor(string[] args)
    {
        foreach (var (name, make) in Table)
            if (args.Length > 0 && args[0] == name) return [make()];
        return Verbs();
    }

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
