using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall layershuffle</c>: a model of layers drawn from several.</summary>
sealed class LayerShuffleCommand : Verb
{
    readonly Argument<string> _output = Common.Output();
    readonly Option<string[]> _models = new("--model", "-m") { Description = "A model; once for each", HelpName = "MODEL" };
    readonly Option<double[]> _weights = new("--weight", "-w")
    {
        Description = "How likely the model gives a layer, once for each model [default: all alike]; "
            + "with --full-random how many, as a share of its own",
        HelpName = "W",
    };

    readonly Switch _printYaml = new("--print-yaml", false, "Show the merge file that was drawn");
    readonly Option<string?> _writeYaml = new("--write-yaml") { Description = "Write the merge file that was drawn", HelpName = "FILE" };
    readonly Option<bool> _dryRun = new("--dry-run") { Description = "Do not merge" };
    readonly Switch _fp16 = new("--fp16", false, "Write float16");
    readonly Switch _fullRandom = new("--full-random", false, "Draw the numbers of the layers too, and their order");
    readonly MergeFlags _flags = new("--weights");

    public LayerShuffleCommand() : base(
        "layershuffle",
        "Makes a model of layers drawn from several models (mergekit-layershuffle). The same --random-seed draws the same layers.",
        "recall layershuffle mixed -m math -w 0.7 -m code -w 0.3 --random-seed 7",
        "recall layershuffle mixed -m math -w 0.5 -m code -w 0.5 --full-random --print-yaml --dry-run > mixed.yaml")
    {
        Add(_output);
        Add(_models);
        Add(_weights);
        _fullRandom.AddTo(this);
        _fp16.AddTo(this);
        _printYaml.AddTo(this);
        Add(_writeYaml);
        Add(_dryRun);
        _flags.AddTo(this);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var options = _flags.Read(parse, parse.GetRequiredValue(_output), screen);
        var shuffle = new LayerShuffle([.. parse.GetValue(_models) ?? []], [.. parse.GetValue(_weights) ?? []])
        {
            FullRandom = _fullRandom.Value(parse),
            Float16 = _fp16.Value(parse),
            Seed = options.Seed,
        };
        string yaml = shuffle.ToYaml();
        if (_printYaml.Value(parse)) screen.Out.Write(yaml);
        if (parse.GetValue(_writeYaml) is { } path) File.WriteAllText(path, yaml);
        if (parse.GetValue(_dryRun))
        {
            if (!_printYaml.Value(parse) && parse.GetValue(_writeYaml) is null)
                screen.Note("note: --dry-run alone shows nothing; with --print-yaml it shows the merge file");
            return ExitCode.Done;
        }
        MergeShow.Run(MergeConfig.Parse(yaml, "recall layershuffle --print-yaml"), options with { SeedIsGiven = false }, screen, json: false, cancellation);
        return ExitCode.Done;
    }
}
