using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// How much an expert's task asks for: how far half of its update stays behind the whole of it, d = Σ KL(p ‖ p_½) / Σ KL(p ‖ p_0) over the places
/// of its texts that predict the answer; p is what the expert expects next, p_½ what W_base + τ/2, p_0 what the base expects. Near 0 where half of
/// the update does nearly all, as in tasks of form; ¼ where the divergence rises with the square of what is missing. In a merge an expert's second
/// moments count 1 + 40·d times, so that what is left undone is left where it costs least.
/// </summary>
public static class ExpertDemand
{
    /// <summary>What an expert weighs is 1 + <see cref="Strength"/> · demand.</summary>
    public const double Strength = 40;

    /// <summary>More than this is taken for this: what half of the update does is no measure any more.</summary>
    const double Most = 0.5;

    /// <summary>A base that is so near to its expert, at a place, leaves nothing to measure.</summary>
    const double SmallestDivergence = 1e-9;

    /// <summary>Decimals: the rest is noise of few texts.</summary>
    const int Decimals = 3;

    /// <summary>What an expert of such a demand weighs: 1 to 21.</summary>
    public static double Weight(double demand) => 1 + Strength * demand;

    /// <summary>Measures it, 0 to ½: the texts go through expert, base and what lies half-way, layer by layer. 0 for an expert that is its base.</summary>
    /// <param name="baseModel">The base.</param>
    /// <param name="name">The expert's name, for messages.</param>
    /// <param name="expert">The expert.</param>
    /// <param name="texts">Its texts; of those without an answer all places count.</param>
    /// <param name="compute">The type of the products in forward passes.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="RecallException">Models of different shapes, or scores that are not finite.</exception>
    public static double Measure(
        Checkpoint baseModel, string name, Checkpoint expert, IReadOnlyList<AlignmentText> texts, ComputeType compute = ComputeType.Float32,
        CancellationToken cancellation = default)
    {
        (int Text, int Token)[] places = [.. texts.SelectMany((text, i) => Enumerable.Range(text.FirstScored, text.Ids.Length - 1 - text.FirstScored)
            .Select(token => (i, token)))];
        if (places.Length == 0) return 0;
        var half = MeanTensor.Of(baseModel, [new AlignmentExpert(name, expert, []), new AlignmentExpert(baseModel.Path, baseModel, [])]);
        using var scope = NewDisposeScope();
        using var stream = new RepresentationStream(
            [(name, expert), (baseModel.Path, baseModel), ($"half of {name}", half)], [.. texts.Select(text => text.Ids)], compute);
        var reader = new TileReader();
        stream.Embed(reader, cancellation);
        for (int layer = 1; layer <= stream.Layers; layer++) stream.Block(layer, reader, cancellation);
        var states = Enumerable.Range(0, 3).Select(model => stream.States(model, places)).ToList();
        double[] divergences = new Divergence(expert, [baseModel, half]).Sum(states, cancellation);
        if (!divergences.All(double.IsFinite)) throw new RecallException($"{name}: what it, or its base, expects of its texts is not finite");
        if (divergences[0] < SmallestDivergence * places.Length) return 0;
        return Math.Round(Math.Min(divergences[1] / divergences[0], Most), Decimals);
    }

    /// <summary>
    /// Whether the experts of a merge are weighed: where <see cref="AlignmentOptions.Demand"/> asks for it, or by default where a card takes part or is all
    /// that the merged model keeps; and where every card says its demand.
    /// </summary>
    /// <param name="baseModel">The base.</param>
    /// <param name="experts">With their texts and cards.</param>
    /// <param name="options">What is solved.</param>
    /// <param name="keepsTexts">Whether the merged model keeps the texts, so that none must be merged by its card later.</param>
    /// <param name="tell">Takes why they weigh alike, though a card takes part.</param>
    /// <exception cref="RecallException">A card that does not say its demand, where <see cref="AlignmentOptions.Demand"/> is set.</exception>
    public static bool IsMeasured(
        Checkpoint baseModel, IReadOnlyCollection<AlignmentExpert> experts, AlignmentOptions options, bool keepsTexts, Action<string> tell)
    {
        if (options.IsRegMean || !(options.Demand ?? (!keepsTexts || experts.Any(expert => expert.Card is not null)))) return false;
        if (experts.FirstOrDefault(expert => expert.Card is { IsWeighed: false }) is not { Card: { } card } silent) return true;
        string why = $"{card.Path} does not say what its expert's task asks for";
        string remedy = card.Experts > 1 ? "merge it anew with 'demand: true'"
            : $"make it anew: recall card {silent.Name} --base {baseModel.Path} --samples FILE --out {card.Path}";
        if (options.Demand == true) throw new RecallException($"{why}; {remedy}, or leave out 'demand'");
        tell($"demand: all experts weigh alike: {why}; {remedy}");
        return false;
    }

    /// <summary>Weighs the experts of a merge; a merged model with kept texts task by task.</summary>
    /// <param name="baseModel">The base.</param>
    /// <param name="experts">With their texts and cards, which all say their demand.</param>
    /// <param name="options">What is solved.</param>
    /// <param name="tell">Takes what each weighs.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>The same experts with their weights.</returns>
    /// <exception cref="RecallException">Models of different shapes, or scores that are not finite.</exception>
    public static ImmutableArray<AlignmentExpert> Weigh(
        Checkpoint baseModel, ImmutableArray<AlignmentExpert> experts, AlignmentOptions options, Action<string> tell, CancellationToken cancellation = default)
    {
        var weighed = experts.Select(expert => expert.Card is { } card
            ? expert with { Weight = card.Weight } : expert with { Texts = Weighed(baseModel, expert, options, cancellation) })
            .ToImmutableArray();
        tell("demand: the experts weigh " + string.Join(", ", weighed.SelectMany(Weights)));
        return weighed;
    }

    /// <summary>What the card of a merged model says: that its experts are weighed in it; null where they are not.</summary>
    internal static string? OfMerged(IReadOnlyCollection<AlignmentExpert> experts) =>
        experts.All(expert => expert.Card is null ? expert.Texts.All(text => text.Weight is not null) : expert.Weight is not null) ? CardLayout.Weighed : null;

    static IReadOnlyList<AlignmentText> Weighed(
        Checkpoint baseModel, AlignmentExpert expert, AlignmentOptions options, CancellationToken cancellation)
    {
        var weights = expert.Texts.GroupBy(text => text.Task, StringComparer.Ordinal).ToDictionary(task => task.Key, task =>
            Weight(Measure(baseModel, expert.Name, expert.Checkpoint, [.. task], options.Compute, cancellation)), StringComparer.Ordinal);
        return [.. expert.Texts.Select(text => text with { Weight = weights[text.Task] })];
    }

    static IEnumerable<string> Weights(AlignmentExpert expert) => expert.Card is { } card
        ? [string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{expert.Name} {(card.Experts > 1 ? "as before" : $"{card.Weight:0.##}")}")]
        : expert.Texts.DistinctBy(text => text.Task).Select(text => string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $"{(text.Task.Length > 0 ? text.Task : expert.Name)} {text.Weight:0.##}"));
}
