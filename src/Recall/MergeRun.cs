using System.Collections.Immutable;
using Recall.Configuration;
using Recall.Planning;
using Recall.Reporting;
using Recall.Streaming;

namespace Recall;

/// <summary>
/// The way of a merge: config → plan → stream of layers (read → look → weigh → merge → write) → output checkpoint. Start reading here.
/// </summary>
public static class MergeRun
{
    /// <summary>Plans and runs a merge.</summary>
    /// <param name="config">What is asked.</param>
    /// <param name="options">How it is run.</param>
    /// <param name="progress">Told of every tile that is written; may be called from any thread.</param>
    /// <param name="cancellation">Stops the merge; what was written so far never looks like a model.</param>
    /// <returns>What was done.</returns>
    /// <exception cref="RecallException">Something is wrong with the config, the models or the disk.</exception>
    /// <example><code>MergeRun.Run(MergeConfig.Read("merge.yaml"), new MergeOptions { Output = "merged" });</code></example>
    public static MergeResult Run(
        MergeConfig config, MergeOptions options, IProgress<MergeProgress>? progress = null, CancellationToken cancellation = default) =>
        Run(MergePlan.Make(config, options), progress, cancellation);

    /// <summary>Runs a plan.</summary>
    /// <inheritdoc cref="Run(MergeConfig, MergeOptions, IProgress{MergeProgress}?, CancellationToken)"/>
    public static MergeResult Run(MergePlan plan, IProgress<MergeProgress>? progress = null, CancellationToken cancellation = default)
    {
        var started = plan.Options.Clock.GetUtcNow();
        var meter = new ProgressMeter(plan, progress);
        using var writer = OutputWriter.Open(plan);
        var stream = new TensorStream(new WorkerPool(plan.Options.Threads, null), writer);
        var groups = TensorGroups.Of(plan, byLayer: false);
        for (int group = 0; group < groups.Length; group++)
        {
            if (writer.IsDone(group))
            {
                meter.Skip(groups[group].Sum(tensor => tensor.Length));
                continue;
            }
            Prefetch(groups, group + 1);
            var work = groups[group].Select(tensor => new TensorWork(tensor, tensor.Copied is null ? tensor.Merge(plan.Weighting, null) : null)).ToList();
            stream.Run(work, meter.Add, cancellation);
            writer.GroupDone(group);
        }
        Companions.Add(writer, plan, started);
        writer.Finish();
        return new MergeResult(plan);
    }

    static void Prefetch(ImmutableArray<ImmutableArray<OutputTensor>> groups, int group)
    {
        if (group >= groups.Length) return;
        foreach (var stored in groups[group].SelectMany(tensor => tensor.Sources).SelectMany(source => source.Stored))
            stored.File.Prefetch(stored.Offset, stored.Length);
    }
}

/// <summary>What a merge did.</summary>
/// <param name="Plan">The plan that was followed.</param>
public sealed record MergeResult(MergePlan Plan);
