using System.CommandLine;
using System.Globalization;
using Recall.Alignment;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;
using Recall.Tokenization;

namespace Recall.Cli.Commands;

/// <summary><c>recall card</c>: what an expert leaves behind, so that it can be aligned later without its data.</summary>
sealed class CardCommand : Verb
{
    const string Full = "full";

    readonly Argument<string> _model = Common.Model("MODEL");
    readonly Option<string> _samples = new("--samples", "-s")
    {
        Description = "The expert's texts with their answers: a task file, or rows of prompt (or text) and answer",
        HelpName = "FILE",
        Required = true,
    };

    readonly Option<string?> _base = new("--base")
    {
        Description = "The model that the expert was tuned from, to measure what its task asks for: with it merges of cards weigh the experts. "
            + "Of base+adapter it is known",
        HelpName = "MODEL",
    };

    readonly Option<string?> _text = new("--text")
    {
        Description = "Jinja over a row's fields that makes its prompt [default: text, prompt, or the task's prompt]",
        HelpName = "TEMPLATE",
    };

    readonly Option<string> _rank = new("--rank")
    {
        Description = "Eigenvectors to keep of each second moment, or full. Rank 16 of a 7B model takes about 30 MB, "
            + "of a 135M model 4 MB; full takes 400 MB there",
        HelpName = "R|full",
        DefaultValueFactory = _ => AlignmentOptions.DefaultCardRank.ToString(CultureInfo.InvariantCulture),
    };

    readonly Option<int> _count = Number("--count", "Rows that count, from the beginning", new RecallOptions().Count);
    readonly Option<int> _maxTokens = Number("--max-tokens", "Tokens of a text that count; a longer prompt loses its beginning", new RecallOptions().MaxTokens);

    readonly Option<double> _answers = new("--answers")
    {
        Description = "Weight of the tokens that predict the answer, beside 1 for all",
        HelpName = "A",
        DefaultValueFactory = _ => 1,
    };

    readonly Option<string> _out = new("--out", "-o")
    {
        Description = $"The card to write; {CardFile.Name} in the expert's folder is found by merge",
        HelpName = "FILE",
        Required = true,
    };

    readonly Option<bool> _json = Common.Json();

    public CardCommand() : base(
        "card",
        "Makes the card of an expert. The expert reads a few of its texts; kept is what its layers read, as second moments, and no text. "
            + "With it the expert "
        + "can be merged by align and distil when its data is gone.",
        "recall card base+adapters/sst2 --samples sst2.yaml --out adapters/sst2/card.safetensors",
        "recall card experts/squad --base models/base --samples squad.jsonl --rank full --out experts/squad/card.safetensors")
    {
        Add(_model);
        foreach (var option in new Option[] { _samples, _base, _text, _rank, _count, _maxTokens, _answers, _out, _json }) Add(option);
        _rank.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value != Full
                && !(int.TryParse(token.Value, CultureInfo.InvariantCulture, out int rank) && rank > 0))
                result.AddError($"--rank {token.Value}: a number above 0, or full, is expected");
        });
        _answers.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && double.TryParse(token.Value, CultureInfo.InvariantCulture, out double number)
                && !(number >= 0 && double.IsFinite(number)))
                result.AddError($"--answers {token.Value}: 0 or more is expected");
        });
    }

    static Option<int> Number(string name, string description, int @default)
    {
        var option = new Option<int>(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => @default };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && int.TryParse(token.Value, CultureInfo.InvariantCulture, out int number) && number < 1)
                result.AddError($"{name} {token.Value}: 1 or more is expected");
        });
        return option;
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        string name = parse.GetRequiredValue(_model), path = parse.GetRequiredValue(_out), rank = parse.GetRequiredValue(_rank);
        var reference = ModelReference.Parse(name);
        var model = OpenedModel.Open(reference);
        var origin = parse.GetValue(_base) is { } given ? ModelReference.Parse(given) : reference.Lora is null ? null : reference with { Lora = null };
        Tokenizer? tokenizer = null;
        var texts = AlignmentSamples.Read(name, parse.GetRequiredValue(_samples), parse.GetValue(_text), () =>
            tokenizer ??= Tokenizer.Load(model.Checkpoint),
            parse.GetValue(_count), parse.GetValue(_maxTokens));
        using (var progress = new ProgressLine(screen))
        {
            progress.Report($"reading {Shown.Count(texts.Count)} texts");
            CardRun.Write(path, name, model.Checkpoint, texts, rank == Full ? null : int.Parse(rank, CultureInfo.InvariantCulture),
                parse.GetValue(_answers), origin is null ? null : OpenedModel.Open(origin).Checkpoint, ComputeType.Auto,
                layer => progress.Report($"layer {layer + 1} of {model.LayerCount}", (layer + 1.0) / model.LayerCount), cancellation);
        }
        var card = CardSummary.Of(path);
        if (parse.GetValue(_json)) screen.WriteJson(card);
        else card.Write(screen);
        return ExitCode.Done;
    }
}
