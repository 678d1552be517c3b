using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall moe</c>: dense models become the experts of a mixture.</summary>
sealed class MoeCommand : Verb
{
    readonly Argument<string> _config = new("CONFIG")
    {
        Description = "A file of mergekit-moe: base_model, experts with source_model and positive_prompts, gate_mode",
    };

    readonly Argument<string> _output = Common.Output();
    readonly Switch _equal = new("--i-understand-this-is-not-useful-without-training", false, "Take experts that are all the same model");
    readonly Switch[] _unused =
    [
        new("--load-in-4bit", false, "Prompts are read in float32, layer by layer", hidden: true),
        new("--load-in-8bit", false, "Prompts are read in float32, layer by layer", hidden: true),
    ];

    readonly MergeFlags _flags = new("--weights", "--allow-crimes");
    readonly Option<bool> _json = Common.Json();

    public MoeCommand() : base(
        "moe",
        "Makes a mixture of experts from dense models (mergekit-moe). Attention, embeddings and norms are those of the base model; the MLPs "
        + "of the others become experts; a router row for each comes from prompts that the base model reads, or is drawn. "
        + "Outputs: Mixtral, DeepSeek MoE, Qwen MoE (Qwen2), Qwen3 MoE.",
        "recall moe experts.yaml mixture")
    {
        Add(_config);
        Add(_output);
        _equal.AddTo(this);
        foreach (var flag in _unused) flag.AddTo(this);
        _flags.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var options = _flags.Read(parse, parse.GetRequiredValue(_output), screen);
        var unused = _unused.Where(flag => flag.Value(parse)).Select(flag => flag.Typed(parse)!).ToList();
        if (unused.Count > 0) screen.Note($"note: {string.Join(", ", unused)}: of mergekit, without meaning here");
        var config = MoeConfig.Read(parse.GetRequiredValue(_config), _equal.Value(parse));
        MergePlan plan;
        using (var progress = new ProgressLine(screen))
        {
            if (config.ReadsPrompts) progress.Report($"reading the prompts of {config.Experts.Length} experts");
            plan = MoeMerge.Plan(config, options, cancellation);
        }
        foreach (string note in plan.Notes) screen.Note($"note: {Shown.Text(note)}");
        MergeShow.Run(plan, screen, parse.GetValue(_json), cancellation);
        return ExitCode.Done;
    }
}
