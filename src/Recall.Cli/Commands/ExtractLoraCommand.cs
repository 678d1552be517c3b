using System.CommandLine;
using System.Globalization;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Extraction;

namespace Recall.Cli.Commands;

/// <summary><c>recall extract-lora</c>: an adapter from a fine-tuned model and its base.</summary>
sealed class ExtractLoraCommand : Verb
{
    readonly Option<string> _model = new("--model")
    {
        Description = "The fine-tuned model: a folder, a file, or BASE+ADAPTER",
        HelpName = "MODEL",
        Required = true,
    };
    readonly Option<string> _base = new("--base-model")
    {
        Description = "The model that it was made from",
        HelpName = "BASE",
        Required = true,
    };
    readonly Option<string> _output = new("--out-path")
    {
        Description = "The folder to write; it must be empty or not there",
        HelpName = "OUT",
        Required = true,
    };
    readonly Option<int> _rank = new("--max-rank")
    {
        Description = "The largest rank of a module",
        HelpName = "R",
        DefaultValueFactory = _ => 128,
    };
    readonly Switch _distribute = new("--distribute-scale", true, "Put the singular values into A alone, in place of their roots into both factors");
    readonly Switch _embed = new("--embed-lora", false, "Decompose embedding and head too, in place of holding them whole");
    readonly Option<string[]> _save = new("--save-module")
    {
        Description = "A module to hold whole, by name or end of name; once for each",
        HelpName = "NAME",
    };
    readonly Option<string[]> _exclude = new("--exclude-regex", "-e")
    {
        Description = "Leave out modules in whose name this is found; once for each",
        HelpName = "REGEX",
    };
    readonly Option<string[]> _include = new("--include-regex", "-i")
    {
        Description = "Leave out modules in whose name none of these is found; once for each",
        HelpName = "REGEX",
    };
    readonly Option<double> _epsilon = new("--sv-epsilon")
    {
        Description = "Leave out singular values up to this one",
        HelpName = "S",
        DefaultValueFactory = _ => 0,
    };
    readonly Switch _skip = new("--skip-undecomposable", false, "Leave out what is no matrix (norms), in place of holding it whole");
    readonly MergekitFlags _mergekit = new(ofMergesToo: true);
    readonly Option<bool> _json = Common.Json();

    public ExtractLoraCommand() : base(
        "extract-lora",
        "Takes a LoRA adapter from a fine-tuned model and its base (mergekit-extract-lora). Of each linear layer it keeps the largest singular "
        + "values of the difference, and tells which share of it is lost; PEFT loads the result.",
        "recall extract-lora --model math --base-model base --out-path math-lora --max-rank 32",
        "recall extract-lora --model math --base-model base --out-path math-lora -i self_attn --skip-undecomposable")
    {
        Add(_model);
        Add(_base);
        Add(_output);
        Add(_rank);
        _distribute.AddTo(this);
        _embed.AddTo(this);
        Add(_save);
        Add(_exclude);
        Add(_include);
        Add(_epsilon);
        _skip.AddTo(this);
        _mergekit.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        _mergekit.Note(parse, screen);
        var options = new ExtractionOptions
        {
            Output = parse.GetRequiredValue(_output),
            MaxRank = parse.GetValue(_rank),
            DistributeScale = _distribute.Value(parse),
            EmbedLora = _embed.Value(parse),
            SaveModules = [.. parse.GetValue(_save) ?? []],
            Exclude = [.. parse.GetValue(_exclude) ?? []],
            Include = [.. parse.GetValue(_include) ?? []],
            SvEpsilon = parse.GetValue(_epsilon),
            SkipUndecomposable = _skip.Value(parse),
        };
        ExtractionResult result;
        using (var progress = new ProgressLine(screen))
        {
            result = LoraExtraction.Run(
                ModelReference.Parse(parse.GetRequiredValue(_model)), ModelReference.Parse(parse.GetRequiredValue(_base)), options,
                new MergeReporter(progress), cancellation);
        }
        foreach (string note in result.Notes) screen.Note($"note: {Shown.Text(note)}");
        if (parse.GetValue(_json))
        {
            screen.WriteJson(result);
            return ExitCode.Done;
        }
        var table = new TextTable(screen, "module", ">rank", ">lost");
        foreach (var module in result.Modules)
        {
            string lost = module.Rank is null ? "" : module.Lost.ToString("P2", CultureInfo.InvariantCulture);
            table.Row(module.Module, module.Rank?.ToString(CultureInfo.InvariantCulture) ?? "whole", lost);
        }
        table.Write(screen);
        return ExitCode.Done;
    }
}
