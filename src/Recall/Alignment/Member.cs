using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// An expert on its way through the layers: its texts' hidden states in its own model and in the merged one, as far as they are needed.
/// </summary>
sealed class Member : IDisposable
{
    readonly AlignmentOptions _options;
    readonly TextSet? _texts;
    BlockNorms? _own, _merged;

    public Member(AlignmentExpert expert, double share, BlockOptions options, AlignmentOptions alignment, bool onDisk)
    {
        (Expert, Share, Options, _options) = (expert, share, BlockOptions.Read(expert.Checkpoint), alignment);
        if (expert.Texts.Count == 0) return;
        _texts = new TextSet(expert.Texts, options);
        Own = new TextStream(_texts, onDisk);
        if (alignment.Kind is AlignmentKind.Distil or AlignmentKind.RegMeanPlusPlus) Merged = new TextStream(_texts, onDisk);
    }

    public AlignmentExpert Expert { get; }

    /// <summary>Its part of a mean over experts.</summary>
    public double Share { get; }

    /// <summary>Sizes and kinds.</summary>
    public BlockOptions Options { get; }

    /// <summary>Its texts in its own model; null: it has a card only.</summary>
    public TextStream? Own { get; }

    /// <summary>Its texts in the merged model, where the method looks at them.</summary>
    public TextStream? Merged { get; }

    /// <summary>The number of its tokens; null without texts.</summary>
    public long? Tokens => _texts?.Tokens;

    /// <summary>
    /// Where the second moments are taken: what the merged model feeds its layers in distil, what the expert feeds its own otherwise.
    /// </summary>
    TextStream? Measured => _options.Kind == AlignmentKind.Distil ? Merged : Own;

    /// <summary>The statistics of the step that comes next; null without texts.</summary>
    public LayerStatistics? Statistics() => Measured is not { } stream ? null : new LayerStatistics(
        stream.Texts, stream.Inputs, _options.IsRegMean ? stream.Texts.EvenWeights()
            : stream.Texts.Weights(stream.Inputs, _options.Answers));

    /// <summary>The second moment of an input, from texts or card.</summary>
    public SecondMoment Moment(string input, LayerStatistics? statistics, bool asTokens)
    {
        using var moment = statistics?.Moment(asTokens) ?? Expert.Card!.Read(input);
        if (_options.OffDiagonal == 1) return moment with
        {
            Matrix = moment.Matrix?.alias(),
            Factor = moment.Factor?.alias(),
            Diagonal = moment.Diagonal?.alias()
        };
        return moment.WithOffDiagonal(_options.OffDiagonal);
    }

    /// <summary>The weight of a linear layer of its model.</summary>
    public TensorSource Weight(string name, Shape shape) => Expert.Checkpoint.Require(name, shape);

    /// <summary>Begins a block in both streams: norms and biases are its own, or the merged model's.</summary>
    public void Begin(int layer, Checkpoint merged, BlockOptions mergedOptions, IReadOnlyList<(string Name, Shape Shape)> small,
        TileReader reader)
    {
        if (Own is null) return;
        if (_options.Kind == AlignmentKind.RegMeanPlusPlus) Own.StartFrom(Merged!);
        _own?.Dispose();
        _own = new BlockNorms(Expert.Checkpoint, Options, layer, small, reader);
        Own.Begin(_own.Block);
        if (Merged is null) return;
        _merged?.Dispose();
        _merged = new BlockNorms(merged, mergedOptions, layer, small, reader);
        Merged.Begin(_merged.Block);
    }

    /// <summary>
    /// Moves its own stream through a step, with the weights of its own model; <paramref name="outputs"/> is told of each output, bias not
    /// in it.
    /// </summary>
    public void NextOwn(LayerStep step, int layer, TileReader reader, Action<int, string, Tensor>? outputs)
    {
        using var scope = NewDisposeScope();
        var type = ComputeTypes.Of(_options.Compute);
        var weights = step.Linears.ToDictionary(linear => linear, linear =>
        {
            var shape = LayerStep.ShapeOf(Options, linear);
            return ExpertUpdate.Rows(Weight(Options.NameOf(layer, linear + ".weight"), shape), 0, shape[0], reader).to_type(type);
        });
        Own!.Next(step, (batch, linear, input) =>
        {
            var output = TextStream.Product(input, weights[linear]);
            outputs?.Invoke(batch, linear, output);
            return output;
        });
    }

    /// <summary>Moves its texts in the merged model through a step, with the merged weights.</summary>
    public void NextMerged(LayerStep step, IReadOnlyDictionary<string, Tensor> weights) =>
        Merged?.Next(step, (_, linear, input) => TextStream.Product(input, weights[linear]));

    public void Dispose()
    {
        Own?.Dispose();
        Merged?.Dispose();
        _own?.Dispose();
        _merged?.Dispose();
        _texts?.Dispose();
    }
}
