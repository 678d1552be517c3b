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
    readonly Option<bool> _json = Common.Json();

    public MergeCommand() : base(
        "merge",
        "Merges models as a config says. Everything is checked before a weight is read; weights are streamed from disk to disk, "
        + "so that memory does not grow with the models. A merge that was killed and is started again goes on where it was. "
        + "Takes the options of mergekit-yaml; those without meaning here (--cuda, --lazy-unpickle, ...) are accepted and noted.",
        "recall merge five-experts.yaml merged",
        "recall merge five-experts.yaml merged --weights weights.json --out-shard-size 2B")
    {
        Add(_config);
        Add(_output);
        _flags.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var config = MergeConfig.Read(parse.GetRequiredValue(_config));
        MergeShow.Run(config, _flags.Read(parse, parse.GetRequiredValue(_output), screen), screen, parse.GetValue(_json), cancellation);
        return ExitCode.Done;
    }
}
