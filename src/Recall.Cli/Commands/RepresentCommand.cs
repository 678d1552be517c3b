using System.CommandLine;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;
using Recall.Representations;
using Recall.Tokenization;

namespace Recall.Cli.Commands;

/// <summary><c>recall represent</c>: what a model makes of texts, layer by layer.</summary>
sealed class RepresentCommand : Verb
{
    readonly Argument<string> _model = Common.Model("MODEL");
    readonly TextArguments _texts = new(maxTokens: 256);
    readonly Option<bool> _ids = new("--ids") { Description = "TEXTS holds token ids: one JSON array a line; all of them count" };

    readonly Option<string> _out = new("--out", "-o") { Description = "The safetensors file to write", HelpName = "FILE", Required = true };
    readonly Option<bool> _tokens = new("--tokens")
    {
        Description = "Write every token's state in place of one vector a text: text.0.layer.0, ... of shape [tokens, hidden]",
    };

    readonly Option<bool> _logits = new("--logits")
    {
        Description = "Also write each text's scores: text.0.logits, ... of shape [tokens, vocabulary]",
    };

    readonly Option<Pooling> _pooling = Common.Pooling();
    readonly Option<ComputeType> _compute = Common.Compute();

    public RepresentCommand() : base(
        "represent",
        "Writes what a model's layers make of texts. float32 tensors layer.0 ... layer.L of shape [texts, hidden]: layer 0 is the "
        + "embedding's output, then the outputs of the blocks, the last one before the final norm. "
        + "One layer of the model is in memory at a time.",
        "recall represent base+adapters/race texts.jsonl --out race.safetensors",
        "recall represent base ids.jsonl --ids --tokens --logits --out states.safetensors")
    {
        Add(_model);
        _texts.AddTo(this);
        Add(_ids);
        Add(_out);
        Add(_tokens);
        Add(_logits);
        Add(_pooling);
        Add(_compute);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var model = OpenedModel.Open(ModelReference.Parse(parse.GetRequiredValue(_model)));
        string path = parse.GetRequiredValue(_out);
        bool tokens = parse.GetValue(_tokens), logits = parse.GetValue(_logits);
        if (tokens) Common.NoteUnused(parse, screen, "with --tokens", _pooling);
        if (parse.GetValue(_ids)) Common.NoteUnused(parse, screen, "with --ids", _texts.OfTexts);
        var texts = parse.GetValue(_ids) ? _texts.ReadIds(parse) : [.. _texts.Encode(parse, Tokenizer.Load(model.Checkpoint))];
        if (texts.Count == 0) throw new RecallException("there are no texts in the file");
        var block = BlockOptions.Read(model.Checkpoint);
        using var file = new SafetensorsDraft(path, Layout(texts, block, tokens, logits));
        using (var progress = new ProgressLine(screen))
        {
            progress.Report("reading");
            Represent.Run(
                model.Name, model.Checkpoint, texts,
                new RepresentOptions { Pooling = tokens ? null : parse.GetValue(_pooling), Compute = parse.GetValue(_compute) },
                states =>
                {
                    Write(file, states);
                    progress.Report($"layer {states.Layer} of {block.Layers}", (states.Layer + 1.0) / (block.Layers + 1));
                },
                logits ? (text, scores) => file.Write($"text.{text}.logits", scores) : null, cancellation);
        }
        file.Finish();
        long count = texts.Sum(ids => (long)ids.Length), bytes = new FileInfo(path).Length;
        screen.Out.WriteLine(
            $"{path}: {Shown.Count(texts.Count)} texts, {Shown.Count(count)} tokens, layers 0 to {block.Layers}, {Shown.Bytes(bytes)}");
        return ExitCode.Done;
    }

    static IEnumerable<(string Name, Shape Shape)> Layout(IReadOnlyList<int[]> texts, BlockOptions block, bool tokens, bool logits)
    {
        var layers = Enumerable.Range(0, block.Layers + 1);
        var all = Enumerable.Range(0, texts.Count);
        Shape Tokens(int text, int size) => new(texts[text].Length, size);
        var states = tokens
            ? all.SelectMany(text => layers.Select(layer => (Name: $"text.{text}.layer.{layer}", Tokens(text, block.HiddenSize))))
            : layers.Select(layer => (Name: $"layer.{layer}", new Shape(texts.Count, block.HiddenSize)));
        var scores = all.Select(text => ($"text.{text}.logits", Tokens(text, block.VocabularySize)));
        return logits ? states.Concat(scores) : states;
    }

    static void Write(SafetensorsDraft file, LayerStates states)
    {
        if (states.Pooled is { } pooled) file.Write($"layer.{states.Layer}", [.. pooled.Values.Select(value => (float)value)]);
        for (int text = 0; text < states.Tokens.Count; text++) file.Write($"text.{text}.layer.{states.Layer}", states.Tokens[text]);
    }
}
