using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Evaluation;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall eval</c>: how models do on tasks and on plain text.</summary>
sealed class EvalCommand : Verb
{
    readonly Argument<string[]> _models = new("MODEL")
    {
        Description = "Models: folders of transformers, .safetensors or .gguf files, or BASE+ADAPTER",
        Arity = ArgumentArity.OneOrMore,
    };

    readonly EvalArguments _arguments = new();
    readonly Option<bool> _json = Common.Json();

    public EvalCommand() : base(
        "eval",
        "Scores models on tasks and on plain text. For each task the loss of the right answer a token (of a task with choices the mean over its "
        + "rows) and, where there are choices, accuracy by likelihood as lm-eval counts it: acc, and acc_norm by characters. Prompts are lm-eval's "
        + "without examples. With --base and --experts: the share of each expert's gain over the base that a model keeps. "
        + "One layer of a model is in memory at a time.",
        "recall eval merged --tasks sst2.yaml squad2.yaml --limit 100",
        "recall eval distilled averaged --tasks sst2.yaml race.yaml --base base --experts base+adapters/sst2 base+adapters/race",
        "recall eval merged base --text wikitext2.test.txt --json")
    {
        Add(_models);
        _arguments.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        _arguments.NoteUnused(parse, screen);
        var sets = _arguments.Sets(parse);
        foreach (string note in sets.SelectMany(set => set.Notes)) screen.Note($"note: {Shown.Text(note)}");
        var text = _arguments.Text(parse);
        var options = _arguments.Options(parse);
        // Everything is opened and encoded before the first weight is read.
        ModelEvaluation Prepare(string name, IReadOnlyList<EvaluationSet> asked, PlainText? read)
        {
            var model = OpenedModel.Open(ModelReference.Parse(name));
            return ModelEvaluation.Prepare(model.Name, model.Checkpoint, options, asked, read);
        }
        var models = parse.GetRequiredValue(_models).Select(name => Prepare(name, sets, text)).ToList();
        var @base = _arguments.Base(parse) is { } baseName ? Prepare(baseName, sets, text) : null;
        var experts = _arguments.Experts(parse).Select((name, i) => Prepare(name, [sets[i]], null)).ToList();
        EvalReport report;
        using (var progress = new ProgressLine(screen))
        {
            int done = 0, count = models.Count + experts.Count + (@base is null ? 0 : 1);
            ModelScores Score(ModelEvaluation model) => model.Run(new Reporter(progress, ++done, count), cancellation);
            report = EvalReport.Of(@base is null ? null : Score(@base), [.. experts.Select(Score)], [.. models.Select(Score)]);
        }
        if (parse.GetValue(_json)) screen.WriteJson(report.ToJson());
        else report.Write(screen);
        return ExitCode.Done;
    }

    sealed class Reporter(ProgressLine line, int model, int models) : IProgress<LogLikelihoodProgress>
    {
        public void Report(LogLikelihoodProgress value)
        {
            string pass = value.Passes > 1 ? $"pass {value.Pass} of {value.Passes}, " : "";
            double ofModel = (value.Pass - 1 + (double)value.Layer / value.Layers) / value.Passes;
            line.Report($"model {model} of {models}, {pass}layer {value.Layer} of {value.Layers}", (model - 1 + ofModel) / models);
        }
    }
}
