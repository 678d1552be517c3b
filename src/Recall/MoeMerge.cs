using System.Collections.Immutable;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Representations;
using Recall.Streaming;

namespace Recall;

/// <summary>
/// A mixture of experts from dense models: checks, router rows from prompts (the only part that is held in memory), then an ordinary merge
/// whose tensors are read from the experts while they are written.
/// </summary>
public static class MoeMerge
{
    /// <summary>mergekit's limit for a matrix of router rows that tells experts apart well.</summary>
    const double HighCondition = 5;

    /// <summary>Rows at most for which the condition number is computed: its cost grows with their square.</summary>
    const int MostRows = 64;

    /// <summary>Checks everything and computes the router rows.</summary>
    /// <param name="config">What is asked.</param>
    /// <param name="options">How it is run.</param>
    /// <param name="cancellation">Stops the forward pass over the prompts.</param>
    /// <returns>The plan, to be run by <see cref="MergeRun.Run(MergePlan, IProgress{MergeProgress}?, CancellationToken)"/>.</returns>
    /// <exception cref="RecallException">Something is wrong with the config, models or prompts; nothing has been written.</exception>
    /// <example><code>MergeRun.Run(MoeMerge.Plan(MoeConfig.Read("moe.yaml"), new MergeOptions { Output = "mixture" }));</code></example>
    public static MergePlan Plan(MoeConfig config, MergeOptions options, CancellationToken cancellation = default)
    {
        var plan = MoePlan.Make(config, options);
        if (!config.ReadsPrompts) return plan.ToMergePlan(plan.DrawRows(), []);
        var rows = new RouterRows(plan.Base.Name, plan.Base.Checkpoint, plan.Routed).Compute(config.GateMode, cancellation);
        if (rows.Length != plan.Layers)
            throw config.BaseModelPlace.Error($"{plan.Base.Name} has {plan.Layers} layers, and its config.json says {rows.Length}");
        return plan.ToMergePlan(rows, Remarks(rows, plan));
    }

    static IEnumerable<string> Remarks(ImmutableArray<float[]> rows, MoePlan plan)
    {
        int experts = plan.Config.Experts.Length;
        if (experts > MostRows || experts > plan.Hidden) yield break;
        var known = new Dictionary<float[], double>(ReferenceEqualityComparer.Instance);
        var high = new List<int>();
        double worst = 0;
        for (int layer = 0; layer < rows.Length; layer++)
        {
            if (!known.TryGetValue(rows[layer], out double condition))
                known[rows[layer]] = condition = SingularValues.ConditionNumber(rows[layer].AsSpan(0, experts * plan.Hidden), experts);
            if (condition <= HighCondition) continue;
            high.Add(layer);
            worst = Math.Max(worst, condition);
        }
        if (high.Count == 0) yield break;
        string layers = high.Count == rows.Length ? "all layers" : $"{(high.Count == 1 ? "layer" : "layers")} {string.Join(", ", high)}";
        yield return $"the router can hardly tell the experts apart in {layers}: its rows have a condition number of up to {worst:0.#}, "
            + $"more than {HighCondition:0}; prompts that differ more, or negative_prompts, help";
    }
}
