using System.Collections.Immutable;
using Recall.Representations;

namespace Recall.Alignment;

/// <summary>Where in a block the linear layers of a step stand.</summary>
enum StepKind
{
    /// <summary>Queries, keys and values.</summary>
    Attention,
    /// <summary>The attention's output.</summary>
    Output,
    /// <summary>Gate and up, or what stands in their place.</summary>
    Mlp,
    /// <summary>The MLP's output.</summary>
    Down,
    /// <summary>Of a mixture: the router, and gate and up of the shared MLP.</summary>
    Router,
    /// <summary>The shared MLP's output.</summary>
    SharedDown,
    /// <summary>Gate and up of one expert, on the tokens routed to it.</summary>
    Expert,
    /// <summary>The output of one expert.</summary>
    ExpertDown,
}

/// <summary>Linear layers of a block that read the same input: they share statistics and factorisation.</summary>
/// <param name="Layer">The block's number.</param>
/// <param name="Kind">Where they stand.</param>
/// <param name="Part">What they read, within the block: <c>attention.in</c>, <c>attention.out</c>, <c>mlp.in</c>, <c>mlp.down</c>; of a
/// mixture also <c>shared.down</c>, <c>experts.3.in</c>, <c>experts.3.down</c>.</param>
/// <param name="Linears">The layers.</param>
sealed record LayerStep(int Layer, StepKind Kind, string Part, ImmutableArray<StepLinear> Linears)
{
    /// <summary>The input of the head.</summary>
    public const string HeadInput = "head";

    /// <summary>The expert's number.</summary>
    public int Expert { get; init; }

    /// <summary>The input's name in a card.</summary>
    public string Input => $"layers.{Layer}.{Part}";

    /// <summary>Values of the input at one token.</summary>
    public int Inputs => (int)Linears[0].Shape[1];

    /// <summary>The steps of a block, in the order of the forward pass.</summary>
    public static IEnumerable<LayerStep> Of(BlockOptions options, int layer)
    {
        yield return Step(StepKind.Attention, "attention.in", options.QueryKeyValue);
        yield return Step(StepKind.Output, "attention.out", [options.Output]);
        if (options.Kinds[layer].Mixture is not { } mixture)
        {
            yield return Step(StepKind.Mlp, "mlp.in", options.GateUp);
            yield return Step(StepKind.Down, "mlp.down", [options.Down]);
            yield break;
        }
        int hidden = options.HiddenSize;
        yield return Step(StepKind.Router, "mlp.in", mixture.Before(hidden));
        if (mixture.Shared.Length > 0) yield return Step(StepKind.SharedDown, "shared.down", [mixture.SharedDown(hidden)]);
        for (int expert = 0; expert < mixture.Experts; expert++)
        {
            yield return Step(StepKind.Expert, $"experts.{expert}.in", mixture.GateUpOf(expert, hidden)) with { Expert = expert };
            yield return Step(StepKind.ExpertDown, $"experts.{expert}.down", [mixture.DownOf(expert, hidden)]) with { Expert = expert };
        }

        LayerStep Step(StepKind kind, string part, IEnumerable<BlockLinear> linears) =>
            new(layer, kind, part, [.. linears.Select(linear => StepLinear.Of(options, layer, linear))]);
    }

    /// <summary>The steps of all blocks.</summary>
    public static IEnumerable<LayerStep> OfAll(BlockOptions options) =>
        Enumerable.Range(0, options.Layers).SelectMany(layer => Of(options, layer));

    /// <summary>
    /// Every input of a model with its name in a card and its size, from the bottom up; of the head where it is not the embedding.
    /// </summary>
    public static IEnumerable<(string Name, int Size)> InputsOf(BlockOptions options)
    {
        foreach (var step in OfAll(options)) yield return (step.Input, step.Inputs);
        if (!options.TiedEmbeddings) yield return (HeadInput, options.HiddenSize);
    }
}
