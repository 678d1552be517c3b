using System.CommandLine;
using Recall.Data;
using Recall.Templates;
using Recall.Tokenization;

namespace Recall.Cli.Commands;

/// <summary>The texts that a command reads, and how they become token ids.</summary>
sealed class TextArguments
{
    readonly Argument<string> _texts = new("TEXTS")
    {
        Description = $"A file of texts: {DataSet.Endings}; with token ids, one JSON array a line",
    };

    readonly Option<string?> _template = new("--text")
    {
        Description = "Jinja over a row's fields that makes its text [default: the field text]",
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

    /// <summary>The token ids of each row, read as ids.</summary>
    public IReadOnlyList<int[]> ReadIds(ParseResult parse) => IdLines.Read(parse.GetRequiredValue(_texts));

    /// <summary>The token ids of each text, by the model's tokenizer.</summary>
    public IEnumerable<int[]> Encode(ParseResult parse, Tokenizer tokenizer, bool addSpecialTokens = true)
    {
        int most = parse.GetValue(_maxTokens);
        foreach (string text in Texts(parse))
        {
            int[] ids = tokenizer.Encode(text, addSpecialTokens);
            yield return most > 0 && ids.Length > most ? ids[..most] : ids;
        }
    }

    IEnumerable<string> Texts(ParseResult parse)
    {
        string path = parse.GetRequiredValue(_texts);
        var template = parse.GetValue(_template) is { } source ? JinjaTemplate.Parse(source, "--text", JinjaOptions.Task) : null;
        foreach (var row in DataSet.Read(path))
        {
            if (template is not null) yield return template.Render(row.Fields);
            else if (row.Fields["text"] is { } field) yield return field.GetValueKind() == System.Text.Json.JsonValueKind.String ? (string)field! : field.ToJsonString();
            else throw Without(path, row);
        }
    }

    static RecallException Without(string path, DataRow row)
    {
        string fields = string.Join(", ", row.Fields.Select(field => Quoted.Of(field.Key)).Take(12));
        string example = row.Fields.FirstOrDefault().Key is { } first && first.All(char.IsAsciiLetterOrDigit) ? $", such as --text \"{{{{{first}}}}}\"" : "";
        return new RecallException($"{path}: row {row.Number} has no field 'text' but {fields}: say with --text what the text is{example}");
    }
}
