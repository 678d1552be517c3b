using Recall.Checkpoints.Lora;
using Recall.Representations;

namespace Recall.Alignment;

/// <summary>
/// The multiplications that a merge by least squares takes, by the kind of its products; for an estimate of the time. What grows with
/// less than the product of three sizes is left out.
/// </summary>
/// <param name="Forward">Of forward passes, in the type of <see cref="AlignmentOptions.Compute"/>.</param>
/// <param name="Statistics">In float32: second moments, cross moments.</param>
/// <param name="Solving">In double precision: products with second moments, factorisations, solutions, eigenvectors of the card.</param>
public sealed record AlignmentWork(double Forward, double Statistics, double Solving)
{
    /// <summary>Counts.</summary>
    /// <param name="options">Sizes of the models.</param>
    /// <param name="experts">With texts or cards.</param>
    /// <param name="alignment">What is solved.</param>
    /// <param name="cardRank">Of the merged model's card; 0: none.</param>
    public static AlignmentWork Of(BlockOptions options, IReadOnlyList<AlignmentExpert> experts, AlignmentOptions alignment, int? cardRank)
    {
        double streams = alignment.Kind is AlignmentKind.Distil or AlignmentKind.RegMeanPlusPlus ? 2 : 1;
        double tokens = experts.Sum(TokensOf);
        var work = new AlignmentWork(0, 0, 0);
        foreach (var step in LayerStep.OfAll(options))
        {
            double inputs = step.Inputs, outputs = step.Linears.Sum(linear => linear.Shape[0]);
            work = work.Plus(Step(experts, alignment, step.Linears[0].Name, inputs, outputs, Share(options, step), cardRank));
        }
        work = work with { Forward = streams * tokens * OfToken(options) };
        return options.TiedEmbeddings || alignment.IsRegMean ? work
            : work.Plus(Step(experts, alignment, options.Names.Head, options.HiddenSize, options.VocabularySize, 1, cardRank));
    }

    /// <summary>Multiplications of one token's way through all blocks.</summary>
    internal static double OfToken(BlockOptions options) => LayerStep.OfAll(options).Sum(step =>
        Share(options, step) * step.Inputs * step.Linears.Sum(linear => (double)linear.Shape[0]));

    /// <summary>The part of the tokens that go through a step: of a mixture as if every expert had its even part.</summary>
    static double Share(BlockOptions options, LayerStep step) =>
        step.Kind is StepKind.Expert or StepKind.ExpertDown && options.Kinds[step.Layer].Mixture is { } mixture
            ? (double)mixture.Active / mixture.Experts : 1;

    AlignmentWork Plus(AlignmentWork other) =>
        new(Forward + other.Forward, Statistics + other.Statistics, Solving + other.Solving);

    static double TokensOf(AlignmentExpert expert) => expert.Texts.Sum(text => (double)text.Ids.Length);

    static AlignmentWork Step(
        IReadOnlyList<AlignmentExpert> experts, AlignmentOptions alignment, string name, double inputs, double outputs, double share,
        int? cardRank)
    {
        double tokens = share * experts.Sum(TokensOf), square = inputs * inputs, statistics = 0;
        long?[] ranks = [.. experts.Select(expert => expert.Texts.Count > 0 ? (long)(share * TokensOf(expert)) : (long?)expert.Card!.Rank)];
        bool dual = !alignment.IsRegMean && RidgedSum.IsDualCheaper(ranks, (long)inputs, (long)outputs);
        double rows = dual ? ranks.Sum(rank => rank!.Value) : inputs, systems = alignment.Kind == AlignmentKind.Distil ? 2 : 1;
        // τ_i G_i of all experts; an adapter's through its rank. Then the factorisations, and the solutions with them.
        double updates = experts.Select((expert, i) => Update(expert, name, inputs, outputs, dual ? ranks[i]!.Value : inputs)).Sum();
        double solving = updates + systems * (rows * rows * rows / 6 + 2 * outputs * inputs * rows * (dual ? 1 : 0.5) + (dual ? rows * rows * inputs : 0));
        if (alignment.IsRegMean) solving += 6 * inputs * square + 2 * outputs * square;
        if (!dual) statistics += tokens * square / 2;
        if (alignment.Kind == AlignmentKind.Distil && outputs < inputs) statistics += tokens * outputs * inputs;
        else if (alignment.Kind == AlignmentKind.Distil)
        {
            statistics += tokens * square;
            solving += experts.Where(expert => expert.Texts.Count > 0).Sum(expert => Update(expert, name, inputs, outputs, inputs)) + outputs * square;
        }
        if (!alignment.IsRegMean && cardRank is { } rank and > 0) solving += Eigenpairs.Products(inputs, rank);
        return new AlignmentWork(0, statistics, solving);
    }

    /// <summary>τ·G, G of some rows, or as a matrix, which counts as many as it has inputs.</summary>
    static double Update(AlignmentExpert expert, string name, double inputs, double outputs, double rows) =>
        expert.Checkpoint.Find(name) is LowRankTensor { Update.Rank: var rank } ? rank * inputs * (outputs + rows)
            : outputs * inputs * rows * (rows < inputs ? 2 : 1);
}
