using Recall.Alignment;
using Recall.Planning;
using Recall.Representations;

namespace Recall;

/// <summary>How long the arithmetic of a merge by what the layers do takes, by its texts and cards and a probe of two seconds.</summary>
/// <param name="Seconds">Expected, without reading and writing.</param>
/// <param name="Work">The multiplications.</param>
/// <param name="Rates">How many a second.</param>
public sealed record AlignedEstimate(double Seconds, AlignmentWork Work, ProductRates Rates)
{
    /// <summary>Largest matrix of the probe.</summary>
    const int MostSize = 2048;

    /// <summary>Reads texts and cards, probes, and estimates; null for all other merges.</summary>
    /// <exception cref="RecallException">Texts or cards that are missing or broken.</exception>
    public static AlignedEstimate? Of(MergePlan plan)
    {
        if (plan.Alignment is not { } planned) return null;
        var (options, solve) = (BlockOptions.Read(AlignedMerge.BaseOf(plan)), AlignedMerge.OptionsOf(planned));
        var experts = AlignedMerge.ExpertsOf(plan, planned);
        // Candidates go through their model once; those that are chosen are merged by.
        double candidates = experts.Where(expert => expert.AreCandidates).Sum(expert => expert.Texts.Sum(text => (double)text.Ids.Length));
        experts = [.. experts.Select(expert => expert.AreCandidates ? expert with { Texts = [.. expert.Texts.Take(planned.Options.Count)] } : expert)];
        var work = AlignmentWork.Of(options, experts, solve, planned.Options.CardRank);
        work = work with { Forward = work.Forward + candidates * AlignmentWork.OfToken(options) };
        // Each text goes through the expert, the base and half-way between them.
        if (ExpertDemand.IsMeasured(AlignedMerge.BaseOf(plan), experts, solve, planned.Options.KeepSamples, _ => { }))
            work = work with { Forward = work.Forward + 3 * experts.Sum(expert => expert.Texts.Sum(text => (double)text.Ids.Length)) * AlignmentWork.OfToken(options) };
        var rates = TorchThreads.Within(plan.Options.Threads, () => ProductRates.Measure(Math.Min(options.HiddenSize, MostSize), solve.Compute));
        return new AlignedEstimate(work.Forward / rates.Forward + work.Statistics / rates.Single + work.Solving / rates.Double, work, rates);
    }
}
