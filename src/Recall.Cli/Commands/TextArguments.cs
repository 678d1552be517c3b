using System.CommandLine;
using Recall.Data;
using Recall.Tokenization;

namespace Recall.Cli.Commands;

/// <summary>The texts that a command reads, and how they become token ids.</summary>
sealed class TextArguments
{
    readonly Argument<string> _texts = new("TEXTS")
    {
        Description = $"A file of texts: {DataSet.Endings}, or a task file of lm-eval (.yaml)",
    };

    readonly Option<string?> _template = new("--text")
    {
        Description = "Jinja over a row's fields that makes its text [default: the field text, or the task's prompt]",
        HelpName = "TEMPLATE",
    };

    readonly Option<int> _maxTokens;

    /// <summary>Arguments for a command that takes so many tokens of a text; 0: all of them.</summary>
    public TextArguments(int maxTokens)
    {
        _maxTokens = new Option<int>("--max-tokens")
        {
            Description = "Tokens of a text that count, the rest is cut off; 0: all",
            HelpName = "N",
            DefaultValueFactory = _ => maxTokens,
        };
        _maxTokens.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && int.TryParse(token.Value, out int count) && count < 0)
                result.AddError($"--max-tokens {count}: 0 or more is expected");
        });
    }

    /// <summary>Adds all to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_texts);
        command.Add(_template);
        command.Add(_maxTokens);
    }

    /// <summary>The options that say how texts become ids.</summary>
    public IEnumerable<Option> OfTexts => [_template, _maxTokens];

    /// <summary>The token ids of each row, read as ids.</summary>
    public IReadOnlyList<int[]> ReadIds(ParseResult parse) => IdLines.Read(parse.GetRequiredValue(_texts));

    /// <summary>The token ids of each text, by the model's tokenizer.</summary>
    public IEnumerable<int[]> Encode(ParseResult parse, Tokenizer tokenizer, bool addSpecialTokens = true)
    {
        int most = parse.GetValue(_maxTokens);
        foreach (var text in SampleTexts.Read(parse.GetRequiredValue(_texts), parse.GetValue(_template), "--text"))
        {
            int[] ids = text.Ids is { } given ? [.. given] : tokenizer.Encode(text.Text, addSpecialTokens);
            yield return most > 0 && ids.Length > most ? ids[..most] : ids;
        }
    }
}
