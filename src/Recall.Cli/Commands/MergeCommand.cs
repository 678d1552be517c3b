using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;

namespace Recall.Cli.Commands;

/// <summary><c>recall merge</c>: a config in, a checkpoint out.</summary>
sealed class MergeCommand : Verb
{
    readonly Argument<string> _config = Common.Config();
    readonly Argument<string> _output = Common.Output();
    readonly MergeFlags _flags = new();
    readonly Option<bool> _asAdapter = new("--as-adapter")
    {
        Description = "Write one PEFT adapter in place of a whole model: of combine: align or distil, where all experts are adapters on the base",
    };

    readonly Option<int?> _rank = new("--rank")
    {
        Description = "Rank of that adapter [default: the ranks of the experts' adapters together, exactly; needed for distil]",
        HelpName = "R",
    };

    readonly Option<bool> _json = Common.Json();

    public MergeCommand() : base(
        "merge",
        "Merges models as a config says. Everything is checked before a weight is read; weights are streamed from disk to disk, "
        + "so that memory does not grow with the models. A merge that was killed and is started again goes on where it was. "
        + "Takes the options of mergekit-yaml; those without meaning here (--cuda, --lazy-unpickle, ...) are accepted and noted.",
        "recall merge five-experts.yaml merged",
        "recall merge five-experts.yaml merged --weights weights.json --out-shard-size 2B",
        "recall merge five-adapters.yaml merged-adapter --as-adapter --rank 32")
    {
        Add(_config);
        Add(_output);
        _flags.AddTo(this);
        Add(_asAdapter);
        Add(_rank);
        _rank.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && result.GetValueOrDefault<int?>() is < 1)
                result.AddError($"--rank {Quoted.Of(token.Value)}: 1 or more is expected");
        });
        Validators.Add(result =>
        {
            if (result.GetResult(_rank) is { Implicit: false } && result.GetResult(_asAdapter) is null or { Implicit: true })
                result.AddError("--rank is that of the adapter which --as-adapter writes: give both");
        });
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var config = MergeConfig.Read(parse.GetRequiredValue(_config));
        var options = _flags.Read(parse, parse.GetRequiredValue(_output), screen);
        if (!parse.GetValue(_asAdapter))
        {
            MergeShow.Run(config, options, screen, parse.GetValue(_json), cancellation);
            return ExitCode.Done;
        }
        Common.NoteUnused(parse, screen, "with --as-adapter", _flags.OfCheckpoints);
        AdapterShow.Run(config, options with { SeedIsGiven = false }, parse.GetValue(_rank), screen, parse.GetValue(_json), cancellation);
        return ExitCode.Done;
    }
}
