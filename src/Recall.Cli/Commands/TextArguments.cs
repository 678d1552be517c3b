using System.CommandLine;
using Recall.Checkpoints;

namespace Recall.Cli.Commands;

/// <summary>The texts that a command reads, and how they become token ids.</summary>
sealed class TextArguments
{
    readonly Argument<string> _texts = new("TEXTS") { Description = "A file of token ids (with --ids)" };
    readonly Option<bool> _ids = new("--ids") { Description = "TEXTS holds token ids: one JSON array a line" };

    /// <summary>Adds all to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_texts);
        command.Add(_ids);
    }

    /// <summary>The token ids of each text.</summary>
    public IReadOnlyList<int[]> Read(ParseResult parse, Checkpoint model)
    {
        return IdLines.Read(parse.GetRequiredValue(_texts));
    }
}
