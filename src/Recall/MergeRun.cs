using Recall.Checkpoints;
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
    /// <summary>Plans a merge and checks everything that can be known before a weight is read, samples and tokenizers included.</summary>
    /// <param name="config">What is asked.</param>
    /// <param name="options">How it is to be run.</param>
    /// <exception cref="RecallException">Something is wrong with the config, the models or the samples; nothing has been written.</exception>
    public static MergePlan Plan(MergeConfig config, MergeOptions options)
    {
        var plan = MergePlan.Make(config, options);
        using var weights = MergeWeights.Of(plan);
        using var aligned = AlignedMerge.Of(plan);
        return plan;
    }

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
        using var weights = MergeWeights.Of(plan);
        using var aligned = AlignedMerge.Of(plan);
        using var writer = OutputWriter.Open(plan);
        if (aligned is null) Stream(plan, weights, writer, meter, cancellation);
        else aligned.Run(writer, meter, cancellation);
        plan = plan with { Notes = [.. plan.Notes, .. aligned?.Notes ?? []] };
        Companions.Add(writer, plan, weights?.File, started);
        writer.Finish();
        return new MergeResult(plan, weights?.File);
    }

    static void Stream(MergePlan plan, MergeWeights? weights, OutputWriter writer, ProgressMeter meter, CancellationToken cancellation)
    {
        bool byLayer = weights is { FromSamples: true };
        var layer = byLayer ? new LayerBuffer() : null;
        var reader = new TileReader(layer);
        var stream = new TensorStream(new WorkerPool(plan.Options.Threads, layer), writer);

        var groups = TensorGroups.Of(plan, byLayer);
        bool[] done = [.. Enumerable.Range(0, groups.Length).Select(writer.IsDone)];
        var prefetch = Task.CompletedTask;
        if (!byLayer) stream.Run(Enumerable.Range(0, groups.Length).SelectMany(Begin), meter.Add, cancellation);
        for (int i = 0; byLayer && i < groups.Length; i++)
        {
            var work = Begin(i);
            Look(groups[i], weights!, layer!, reader, meter, cancellation);
            stream.Run(work, meter.Add, cancellation);
        }
        prefetch.Wait(CancellationToken.None);

        // The group behind it is asked for beside the merge, and one after another: where the disk is busy, the system lets the asker wait.
        IEnumerable<TensorWork> Begin(int group)
        {
            if (group + 1 < groups.Length) prefetch = prefetch.ContinueWith(_ => Prefetch(groups[group + 1]), TaskScheduler.Default);
            return Work(group);
        }

        IEnumerable<TensorWork> Work(int group)
        {
            if (done[group])
            {
                meter.Skip(groups[group].Bytes);
                yield break;
            }
            int left = groups[group].Tensors.Length;
            foreach (var tensor in groups[group].Tensors)
            {
                yield return Weighed(tensor, plan, weights, () =>
                {
                    if (Interlocked.Decrement(ref left) == 0) writer.GroupDone(group);
                });
            }
        }
    }

    /// <summary>Reads the tensors of a layer once, for all models; lets the models read the samples up to its output; weighs it.</summary>
    static void Look(TensorGroup group, MergeWeights weights, LayerBuffer layer, TileReader reader, ProgressMeter meter, CancellationToken cancellation)
    {
        if (group.Layer is not { } number) return;
        meter.Tell(number == 0 ? "choosing samples" : $"layer {number}");
        // Of the embeddings only the rows of the samples' tokens are read here.
        layer.Load(number == 0 ? [] : group.Stored.Concat(weights.Sources(number)), cancellation);
        weights.Advance(number, reader, cancellation);
    }

    /// <summary>A tensor's merge, with the weights of its layer where there are any.</summary>
    static TensorWork Weighed(OutputTensor tensor, MergePlan plan, MergeWeights? weights, Action ended) =>
        new(tensor, tensor.Copied is null ? tensor.Merge(plan.Weighting, weights?[tensor.WeightLayer]) : null, ended);

    static void Prefetch(TensorGroup group)
    {
        foreach (var stored in group.Stored) stored.File.Prefetch(stored.Offset, stored.Length);
    }
}
