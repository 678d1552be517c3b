using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Representations;

namespace Recall.Cli.Commands;

/// <summary><c>recall weights</c>: how much of each model goes into each layer, without the merge.</summary>
sealed class WeightsCommand : Verb
{
    readonly Argument<string> _config = Common.Config();
    readonly Option<string?> _out = new("--out", "-o") { Description = "The weights.json to write, for recall merge --weights", HelpName = "FILE" };
    readonly MergeFlags _flags = new("--out-shard-size", "--random-seed", "--copy-tokenizer", "--write-model-card");
    readonly Option<bool> _json = Common.Json();

    public WeightsCommand() : base(
        "weights",
        "Computes and shows the layer weights of a merge. All models read the typical samples, layer by layer; each layer's weights follow from how "
        + "similar its representations are to the reference model's (marked *). A merge with --weights then gives the same bytes as one without.",
        "recall weights five-experts.yaml --out weights.json",
        "recall weights five-experts.yaml --json | jq .layers[3].weights")
    {
        Add(_config);
        Add(_out);
        _flags.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var (plan, weights) = LayerWeighted.Open(parse.GetRequiredValue(_config), _flags.Read(parse, ".", screen), screen);
        WeightsFile file;
        using (weights)
        using (var progress = new ProgressLine(screen))
        {
            progress.Report($"reading {Shown.Count(weights.Candidates.Count)} texts");
            file = weights.Compute(new Reporter(progress, plan.LayerCount), cancellation);
        }
        string? path = parse.GetValue(_out);
        if (path is not null) file.Write(path);
        if (parse.GetValue(_json))
        {
            screen.Out.Write(file.ToJson());
            return ExitCode.Done;
        }
        WeightsTable.Write(file, screen);
        if (path is not null) screen.Note($"written to {path}");
        return ExitCode.Done;
    }

    sealed class Reporter(ProgressLine line, int layers) : IProgress<ModelWeights>
    {
        public void Report(ModelWeights value) => line.Report($"layer {value.Layer} of {layers}", (value.Layer + 1.0) / (layers + 1));
    }
}
