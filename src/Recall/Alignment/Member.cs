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
    TokenSelection? _routed;    // the tokens of the expert of a mixture that is at work

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

    /// <summary>
    /// Where the second moments are taken: what the merged model feeds its layers in distil, what the expert feeds its own otherwise.
    /// </summary>
    TextStream? Measured => _options.Kind == AlignmentKind.Distil ? Merged : Own;

    /// <summary>The statistics of the step that comes next; null without texts.</summary>
    public LayerStatistics? Statistics()
    {
        if (Measured is not { } stream) return null;
        var tokens = _routed ?? stream.Texts.All;
        return new LayerStatistics(tokens, stream.Inputs,
            _options.IsRegMean ? tokens.EvenWeights() : tokens.Weights(stream.Inputs, _options.Answers));
    }

    /// <summary>
    /// Begins a step. An expert of a mixture sees the tokens routed to it. In distil those that either model routes to it go through it in
    /// both, so that each has a target; the second moment is that of what the merged model feeds it.
    /// </summary>
    public void Begin(LayerStep step)
    {
        if (step.Kind is not (StepKind.Expert or StepKind.ExpertDown)) _routed = null;
        if (step.Kind != StepKind.Expert || Own is null) return;
        using var scope = NewDisposeScope();
        if (_options.Kind == AlignmentKind.Distil)
        {
            var both = Own.Routing.Zip(Merged!.Routing, (own, merged) => new MixtureRouting(own.Weights.Plus(merged.Weights))).ToList();
            Route(step.Expert, both, Merged.Routing);
            return;
        }
        Route(step.Expert, Own.Routing, Own.Routing);
        Merged?.Begin(step.Expert, [.. Merged.Routing.Select(routing => routing.TokensOf(step.Expert))]);
    }

    /// <summary>Begins the head: all tokens, after the final norm of its own model, and of the merged one.</summary>
    public void BeginHead(ModelHead own, ModelHead merged)
    {
        _routed = null;
        Own!.Normalize(own);
        Merged?.Normalize(merged);
    }

    void Route(int expert, IReadOnlyList<MixtureRouting> seen, IReadOnlyList<MixtureRouting> counted)
    {
        Tensor[] tokens = [.. seen.Select(routing => routing.TokensOf(expert))];
        _routed = _texts!.Select([.. tokens.Select((chosen, batch) => chosen.numel() == 0 ? ([], [])
            : (chosen.data<long>().ToArray(), counted[batch].WeightsOf(expert, chosen).IsPositive().data<bool>().ToArray()))]);
        Own!.Begin(expert, tokens);
        if (_options.Kind == AlignmentKind.Distil) Merged!.Begin(expert, tokens);
    }

    /// <summary>The second moment of an input, from texts or card.</summary>
    public SecondMoment Moment(string input, LayerStatistics? statistics, bool asTokens)
    {
        var moment = statistics?.Moment(asTokens) ?? Expert.Card!.Read(input);
        if (statistics is null && Expert.Weight is { } weight and not 1) moment = Changed(moment, each => each.Times(weight));
        return _options.OffDiagonal == 1 ? moment : Changed(moment, each => each.WithOffDiagonal(_options.OffDiagonal));
    }

    static SecondMoment Changed(SecondMoment moment, Func<SecondMoment, SecondMoment> change)
    {
        using (moment) return change(moment);
    }

    /// <summary>The weight of a linear layer of its model.</summary>
    public TensorSource Weight(StepLinear linear, TileReader reader) => linear.Source(Expert.Checkpoint, reader);

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
    public void NextOwn(LayerStep step, TileReader reader, Action<int, string, Tensor>? outputs)
    {
        using var scope = NewDisposeScope();
        var type = ComputeTypes.Of(_options.Compute);
        var weights = step.Linears.ToDictionary(linear => linear.Linear,
            linear => ExpertUpdate.Rows(Weight(linear, reader), 0, linear.Shape[0], reader).to_type(type));
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
