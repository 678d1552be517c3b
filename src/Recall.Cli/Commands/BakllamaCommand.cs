using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;

namespace Recall.Cli.Commands;

/// <summary><c>recall bakllama</c>: stacks of layers as the program bakllama describes them.</summary>
sealed class BakllamaCommand : Verb
{
    readonly Argument<string> _config = new("CONFIG")
    {
        Description = "A file of bakllama: layer_slices, each with model, start, end, scale",
    };

    readonly Argument<string> _output = Common.Output();
    readonly Switch _fp16 = new("--fp16", false, "Write float16");
    readonly Option<bool> _printYaml = new("--print-yaml") { Description = "Show the merge file that the file stands for, and merge" };
    readonly MergeFlags _flags = new("--weights", "--random-seed");
    readonly Option<bool> _json = Common.Json();

    public BakllamaCommand() : base(
        "bakllama",
        "Stacks layers as a file of mergekit's bakllama says. The same as slices of the method passthrough, with scale on down_proj.",
        "recall bakllama stack.yaml stacked")
    {
        Add(_config);
        Add(_output);
        _fp16.AddTo(this);
        Add(_printYaml);
        _flags.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var config = Bakllama.Read(parse.GetRequiredValue(_config), _fp16.Value(parse));
        if (parse.GetValue(_printYaml)) screen.Out.Write(config.Text);
        MergeShow.Run(config, _flags.Read(parse, parse.GetRequiredValue(_output), screen), screen, parse.GetValue(_json), cancellation);
        return ExitCode.Done;
    }
}
