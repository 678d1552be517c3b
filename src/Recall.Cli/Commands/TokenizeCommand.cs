using System.CommandLine;
using System.Text.Json;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;
using Recall.Tokenization;

namespace Recall.Cli.Commands;

/// <summary><c>recall tokenize</c>: texts to token ids, and back.</summary>
sealed class TokenizeCommand : Verb
{
    readonly Argument<string> _model = Common.Model("MODEL");
    readonly TextArguments _texts = new(maxTokens: 0);
    readonly Option<bool> _decode = new("--decode") { Description = "The other way: TEXTS holds token ids, one JSON array a line" };
    readonly Option<bool> _noSpecialTokens = new("--no-special-tokens")
    {
        Description = "Put no BOS and EOS around a text; with --decode: leave special tokens out",
    };

    readonly Option<bool> _json = new("--json")
    {
        Description = "Write one line of JSON for each text: an array of ids, or with --decode a string",
    };

    public TokenizeCommand() : base(
        "tokenize",
        "Shows the tokens of texts. As a model's own tokenizer makes them, its special tokens included; with --decode the texts of tokens.",
        "recall tokenize base texts.jsonl --json > ids.jsonl",
        "recall tokenize base train.csv --text \"{{question}} {{answer}}\"",
        "recall tokenize base ids.jsonl --decode")
    {
        Add(_model);
        _texts.AddTo(this);
        Add(_decode);
        Add(_noSpecialTokens);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var tokenizer = Tokenizer.Load(OpenedModel.Open(ModelReference.Parse(parse.GetRequiredValue(_model))).Checkpoint);
        bool special = !parse.GetValue(_noSpecialTokens), json = parse.GetValue(_json);
        if (parse.GetValue(_decode))
        {
            Common.NoteUnused(parse, screen, "with --decode", _texts.OfTexts);
            foreach (int[] ids in _texts.ReadIds(parse))
            {
                string text = tokenizer.Decode(ids, skipSpecialTokens: !special);
                screen.Out.WriteLine(json ? JsonSerializer.Serialize(text, Screen.JsonLine) : Shown.Text(text));
            }
            return ExitCode.Done;
        }
        foreach (int[] ids in _texts.Encode(parse, tokenizer, special))
        {
            cancellation.ThrowIfCancellationRequested();
            screen.Out.WriteLine(json ? JsonSerializer.Serialize(ids) : $"{ids.Length,5}  {Pieces(ids, tokenizer)}");
        }
        return ExitCode.Done;
    }

    /// <summary>Each token's own text; a part of a character shows as U+FFFD.</summary>
    static string Pieces(int[] ids, Tokenizer tokenizer) => string.Join('│', ids.Select(id => Shown.Text(tokenizer.Decode([id]))));
}
