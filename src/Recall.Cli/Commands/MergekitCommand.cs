using System.CommandLine;
using Recall.Cli.Terminal;

namespace Recall.Cli.Commands;

/// <summary><c>recall mergekit</c>: which command stands for which program of mergekit.</summary>
sealed class MergekitCommand : Verb
{
    /// <summary>The programs of mergekit: what is typed there, what is typed here, what is to be known.</summary>
    internal static IReadOnlyList<(string Program, string Command, string Flags)> Programs { get; } =
    [
        ("mergekit-yaml CONFIG OUT", "recall merge CONFIG OUT", "all flags; recall plan shows what it would do"),
        ("mergekit-multi CONFIG --out-path OUT -I DIR", "recall multi CONFIG --out-path OUT -I DIR", "all flags, --no-lazy too"),
        ("mergekit-moe CONFIG OUT", "recall moe CONFIG OUT", "all flags"),
        ("mergekit-pytorch CONFIG OUT", "recall raw CONFIG OUT", "-i, -u (which works here)"),
        ("mergekit-extract-lora --model M --base-model B --out-path OUT",
            "recall extract-lora --model M --base-model B --out-path OUT", "all flags"),
        ("mergekit-tokensurgeon MODEL DONOR OUT", "recall tokensurgeon MODEL DONOR OUT", "all flags"),
        ("mergekit-layershuffle OUT -m A -w 1 -m B -w 1",
            "recall layershuffle OUT -m A -w 1 -m B -w 1", "all flags; --random-seed draws the same again"),
        ("mergekit-legacy OUT --merge A --merge B",
            "recall legacy OUT --merge A --merge B", "all flags; --dry-run with --print-yaml only shows the merge file"),
        ("bakllama CONFIG OUT", "recall bakllama CONFIG OUT", "--fp16, --clone-tensors"),
        ("mergekit-evolve", "", "a search by benchmarks; recall merge with merge_method: recall finds weights without one"),
    ];

    public MergekitCommand() : base(
        "mergekit",
        "Shows which command stands for which program of mergekit. Files and flags are taken as they are.",
        "recall mergekit")
    {
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var table = new TextTable(screen, "mergekit", "recall", "flags");
        foreach (var (program, command, flags) in Programs)
        {
            bool there = command.Length > 0 && RecallCommand.Verbs().Any(verb => verb.Name == command.Split(' ')[1]);
            table.Row(program, there ? command : "none", there || command.Length == 0 ? flags : "not in this version");
        }
        table.Write(screen);
        screen.Out.WriteLine();
        screen.Out.WriteLine("Flags of mergekit without meaning here (--cuda, --lazy-unpickle, ...) are accepted and noted in one line.");
        return ExitCode.Done;
    }
}
