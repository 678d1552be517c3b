using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall raw</c>: bare files of weights, merged by the names of their tensors.</summary>
sealed class RawCommand : Verb
{
    readonly Argument<string> _config = new("CONFIG")
    {
        Description = "A merge file whose models are files: .safetensors, .bin, .pt, .pth, .ckpt or .gguf",
    };

    readonly Argument<string> _output = Common.Output();
    readonly Switch _intersection = new("--tensor-intersection", false, "Leave out tensors that not all files have", letter: "-i");
    readonly Switch _union = new("--tensor-union", false, "Merge each tensor from the files that have it", letter: "-u");
    readonly MergeFlags _flags = new("--weights", "--allow-crimes", "--copy-tokenizer");
    readonly Option<bool> _json = Common.Json();

    public RawCommand() : base(
        "raw",
        "Merges bare files of weights by the names of their tensors (mergekit-pytorch). Nothing is asked of them: "
        + "no config.json, no family, no layers. A tensor that not all have is an error unless -i or -u says what to do.",
        "recall raw weights.yaml merged",
        "recall raw weights.yaml merged --tensor-union")
    {
        Add(_config);
        Add(_output);
        _intersection.AddTo(this);
        _union.AddTo(this);
        Validators.Add(result =>
        {
            if (_intersection.IsOn(result) && _union.IsOn(result))
                result.AddError("--tensor-intersection and --tensor-union exclude one another");
        });
        _flags.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var rule = _intersection.Value(parse) ? PartialTensors.LeaveOut
            : _union.Value(parse) ? PartialTensors.Merge
            : PartialTensors.Refuse;
        var config = MergeConfig.ReadRaw(parse.GetRequiredValue(_config));
        var options = _flags.Read(parse, parse.GetRequiredValue(_output), screen) with { Raw = rule };
        MergeShow.Run(config, options, screen, parse.GetValue(_json), cancellation);
        return ExitCode.Done;
    }
}
