using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;

namespace Recall.Cli.Commands;

/// <summary><c>recall legacy</c>: the arguments of mergekit-legacy.</summary>
sealed class LegacyCommand : Verb
{
    readonly Argument<string> _output = Common.Output();
    readonly Option<string[]> _models = new("--merge") { Description = "A model to merge; once for each", HelpName = "MODEL" };
    readonly Option<double[]> _densities = new("--density") { Description = "density of all models, or once for each", HelpName = "D" };
    readonly Option<double[]> _weights = new("--weight")
    {
        Description = "weight of all models, or once for each; t of slerp",
        HelpName = "W",
    };

    readonly Option<string> _method = new("--method")
    {
        Description = "The merge method",
        HelpName = "NAME",
        DefaultValueFactory = _ => "ties",
    };

    readonly Option<string?> _base = new("--base-model")
    {
        Description = "The base model; merged last where it is not among the others",
        HelpName = "MODEL",
    };

    readonly Switch _normalize = new("--normalize", true, "Do not divide by the sum of the weights");
    readonly Switch _int8Mask = new("--int8-mask", false, "Of mergekit; without effect", hidden: true);
    readonly Switch _bf16 = new("--bf16", false, "Merge in bfloat16");
    readonly Switch _naiveCount = new("--naive-count", false, "Of mergekit; without effect", hidden: true);
    readonly Switch _printYaml = new("--print-yaml", false, "Show the merge file that these arguments stand for, and merge");
    readonly Option<bool> _dryRun = new("--dry-run") { Description = "Do not merge" };
    readonly MergeFlags _flags = new("--weights");

    public LegacyCommand() : base(
        "legacy",
        "Merges models by arguments alone (mergekit-legacy). --print-yaml shows the merge file that they stand for.",
        "recall legacy merged --merge math --merge code --base-model base --density 0.5 --weight 0.6 --weight 0.4",
        "recall legacy merged --merge math --merge code --method linear --weight 0.5 --print-yaml --dry-run > merge.yaml")
    {
        Add(_output);
        Add(_models);
        Add(_base);
        Add(_method);
        Add(_weights);
        Add(_densities);
        _normalize.AddTo(this);
        _int8Mask.AddTo(this);
        _bf16.AddTo(this);
        _naiveCount.AddTo(this);
        _printYaml.AddTo(this);
        Add(_dryRun);
        _flags.AddTo(this);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var merge = new LegacyMerge
        {
            Models = [.. parse.GetValue(_models) ?? []],
            BaseModel = parse.GetValue(_base),
            Method = parse.GetValue(_method)!,
            Densities = [.. parse.GetValue(_densities) ?? []],
            Weights = [.. parse.GetValue(_weights) ?? []],
            Normalize = _normalize.Value(parse),
            Int8Mask = _int8Mask.Value(parse),
            BFloat16 = _bf16.Value(parse),
        };
        string yaml = merge.ToYaml();
        if (_printYaml.Value(parse)) screen.Out.Write(yaml);
        var options = _flags.Read(parse, parse.GetRequiredValue(_output), screen);
        if (_naiveCount.Typed(parse) is { } naive) screen.Note($"note: {naive}: of mergekit, without meaning here");
        if (parse.GetValue(_dryRun))
        {
            if (!_printYaml.Value(parse)) screen.Note("note: --dry-run alone shows nothing; with --print-yaml it shows the merge file");
            return ExitCode.Done;
        }
        MergeShow.Run(MergeConfig.Parse(yaml, "recall legacy --print-yaml"), options, screen, json: false, cancellation);
        return ExitCode.Done;
    }
}
