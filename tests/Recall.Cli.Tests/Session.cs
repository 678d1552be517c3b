using Recall.Cli.Terminal;

namespace Recall.Cli.Tests;

/// <summary>What a command line gave.</summary>
sealed record Session(int ExitCode, string Out, string Error)
{
    /// <summary>Runs a command line in this process, as if piped.</summary>
    public static Session Run(params string[] args) => Run(screen => screen, CancellationToken.None, args);

    /// <summary>Runs a command line in this process on a screen of another kind.</summary>
    public static Session Run(Func<Screen, Screen> screen, CancellationToken cancellation, params string[] args)
    {
        using StringWriter results = new(), notes = new();
        int code = RecallCommand.Run(args, screen(new Screen(results, notes)), cancellation);
        return new Session(code, results.ToString(), notes.ToString());
    }
}
