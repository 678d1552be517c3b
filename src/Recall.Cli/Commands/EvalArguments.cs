using System.CommandLine;
using System.Globalization;
using Recall.Configuration;
using Recall.Data;
using Recall.Evaluation;

namespace Recall.Cli.Commands;

/// <summary>What <c>recall eval</c> asks models, and how.</summary>
sealed class EvalArguments
{
    static readonly string[] Splits = ["test", "validation", "training"];

    readonly Option<string[]> _tasks = new("--tasks", "-t")
    {
        Description = $"Task files of lm-eval (.yaml), or rows with the fields prompt and answer: {DataSet.Endings}",
        HelpName = "FILES",
        AllowMultipleArgumentsPerToken = true,
    };

    readonly Option<double?> _limit = new("--limit")
    {
        Description = "The first N rows of each task; below 1 that share of them [default: all]",
        HelpName = "N",
    };

    readonly Option<string?> _split = new("--split")
    {
        Description = "The split of task files to score [default: test, or validation where there is no test]",
        HelpName = string.Join('|', Splits),
    };

    readonly Option<string?> _base = new("--base") { Description = "The model that the experts come from", HelpName = "MODEL" };

    readonly Option<string[]> _experts = new("--experts")
    {
        Description = "The expert of each task, in the order of the tasks: with --base, shows how much of their gains is kept",
        HelpName = "MODELS",
        AllowMultipleArgumentsPerToken = true,
    };

    readonly Option<string?> _text = new("--text") { Description = "A plain text in UTF-8: its loss and perplexity", HelpName = "FILE" };
    readonly Option<int> _window = Tokens("--window", "Tokens of --text that are scored together, all but the first of them", 512, least: 2);
    readonly Option<int?> _textTokens = Tokens<int?>("--text-tokens", "Tokens of --text that count [default: all]", least: 2);
    readonly Option<int?> _maxLength = Tokens<int?>(
        "--max-length", "Tokens of prompt and answer; longer prompts lose their beginning [default: what the model was made for]", least: 1);

    readonly Option<ComputeType> _compute = Common.Choice(
        "--compute", ComputeType.Float32, "Type of the forward passes; auto: bfloat16 where the CPU multiplies it in hardware, else float32");

    public EvalArguments()
    {
        _limit.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && double.TryParse(token.Value, CultureInfo.InvariantCulture, out double limit) && !(limit > 0))
                result.AddError($"--limit {token.Value}: a number above 0 is expected");
        });
        _split.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !Splits.Contains(token.Value))
                result.AddError($"--split {Quoted.Of(token.Value)}: one of {string.Join(", ", Splits)} is expected");
        });
    }

    static Option<int> Tokens(string name, string description, int usual, int least)
    {
        var option = Tokens<int>(name, description, least);
        option.DefaultValueFactory = _ => usual;
        return option;
    }

    static Option<T> Tokens<T>(string name, string description, int least)
    {
        var option = new Option<T>(name) { Description = description, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && int.TryParse(token.Value, CultureInfo.InvariantCulture, out int count) && count < least)
                result.AddError($"{name} {token.Value}: {least} or more is expected");
        });
        return option;
    }

    /// <summary>Adds all to a command, and what holds among them.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_tasks, _limit, _split, _base, _experts, _text, _window, _textTokens, _maxLength, _compute]) command.Add(option);
        command.Validators.Add(result =>
        {
            int tasks = result.GetResult(_tasks)?.Tokens.Count ?? 0, experts = result.GetResult(_experts)?.Tokens.Count ?? 0;
            bool hasBase = result.GetResult(_base) is not null;
            if (tasks == 0 && result.GetResult(_text) is null) result.AddError("nothing to score: give --tasks FILES, --text FILE or both");
            else if (hasBase != experts > 0) result.AddError("--base and --experts go together: the share of a gain needs both");
            else if (hasBase && experts != tasks) result.AddError($"--experts names {experts} for {tasks} tasks: one for each is expected, in their order");
        });
    }

    /// <summary>Says which options were typed and change nothing.</summary>
    public void NoteUnused(ParseResult parse, Terminal.Screen screen)
    {
        if (parse.GetValue(_text) is null) Common.NoteUnused(parse, screen, "without --text", _window, _textTokens);
        string[] tasks = parse.GetValue(_tasks) ?? [];
        if (tasks.Length == 0) Common.NoteUnused(parse, screen, "without --tasks", _limit, _split, _maxLength);
        else if (!tasks.Any(file => Path.GetExtension(file).ToLowerInvariant() is ".yaml" or ".yml")) Common.NoteUnused(parse, screen, "without a task file of lm-eval", _split);
    }

    /// <summary>The tasks.</summary>
    public IReadOnlyList<EvaluationSet> Sets(ParseResult parse) =>
        [.. (parse.GetValue(_tasks) ?? []).Select(file => EvaluationSet.Read(file, parse.GetValue(_split), parse.GetValue(_limit)))];

    /// <summary>The plain text, or null.</summary>
    public PlainText? Text(ParseResult parse) =>
        parse.GetValue(_text) is { } file ? PlainText.Read(file, parse.GetValue(_window), parse.GetValue(_textTokens)) : null;

    /// <summary>The base, or null.</summary>
    public string? Base(ParseResult parse) => parse.GetValue(_base);

    /// <summary>The experts, one a task, or none.</summary>
    public IReadOnlyList<string> Experts(ParseResult parse) => parse.GetValue(_experts) ?? [];

    /// <summary>How it is scored.</summary>
    public LogLikelihoodOptions Options(ParseResult parse) => new()
    {
        MaxLength = parse.GetValue(_maxLength),
        // Float32 is not the first word of the enumeration, which an option that is not given has as its value.
        Compute = parse.GetResult(_compute) is null ? ComputeType.Float32 : parse.GetValue(_compute),
    };
}
