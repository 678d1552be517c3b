using System.CommandLine;
using Recall.Cli.Terminal;

namespace Recall.Cli.Commands;

/// <summary>One command of <c>recall</c>: its arguments, its help, and what it does.</summary>
/// <param name="name">What is typed.</param>
/// <param name="description">One paragraph: the first thing that its help shows.</param>
/// <param name="examples">Whole command lines, shown below the options.</param>
abstract class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>The first sentence of the description: its line in the list of commands.</summary>
    public string Summary { get; } = description.Split(". ")[0].TrimEnd('.');

    /// <summary>Command lines to copy.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>Does it. Results go to the screen's <see cref="Screen.Out"/>, all else to its <see cref="Screen.Error"/>.</summary>
    /// <returns>The exit code; what goes wrong is thrown.</returns>
    public abstract int Run(ParseResult parse, Screen screen, CancellationToken cancellation);
}
