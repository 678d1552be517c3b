using System.Collections.Immutable;
using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Representations;

namespace Recall;

/// <summary>What merging adapters into one did.</summary>
/// <param name="Plan">The plan that was followed; its notes tell what was out of the ordinary.</param>
/// <param name="Losses">Rank and loss of each layer that the adapter changes.</param>
public sealed record AdapterMergeResult(MergePlan Plan, IReadOnlyList<AdapterLoss> Losses);

/// <summary>
/// <c>recall merge --as-adapter</c>: align or distil of adapters on one base, written as one adapter on that base, with its card and the
/// kept texts beside it.
/// </summary>
public static class AdapterMerge
{
    /// <summary>Checks, merges and writes.</summary>
    /// <param name="config">What is asked: align or distil.</param>
    /// <param name="options">How it is run.</param>
    /// <param name="rank">The adapter's rank; null: all that there is (align only).</param>
    /// <param name="layerDone">Told the number of each block that is done, from 0 (of the head theirs), and how many blocks there are.</param>
    /// <param name="cancellation">Stops between two steps; nothing is left behind.</param>
    /// <exception cref="RecallException">A merge that gives no adapter, or anything that <see cref="MergeRun.Plan"/> finds; or a disk that
    /// refuses.</exception>
    public static AdapterMergeResult Run(
        MergeConfig config, MergeOptions options, int? rank, Action<int, int>? layerDone = null, CancellationToken cancellation = default)
    {
        var plan = MergePlan.Make(config, options);
        var planned = Check(plan, rank);
        return TorchThreads.Within(options.Threads, () => Merge(plan, planned, rank, layerDone, cancellation));
    }

    static AdapterMergeResult Merge(MergePlan plan, PlannedAlignment planned, int? rank, Action<int, int>? layerDone, CancellationToken cancellation)
    {
        // What the plan counts is a whole model; an adapter is small.
        OutputFolder.Check(plan with { Cost = plan.Cost with { OutputBytes = 0 } });
        var (baseModel, solve, experts) = (AlignedMerge.BaseOf(plan), AlignedMerge.OptionsOf(planned), AlignedMerge.ExpertsOf(plan, planned));
        var weights = new List<string>();
        experts = TypicalTexts.Chosen(experts, planned.Options, cancellation);
        if (ExpertDemand.IsMeasured(baseModel, experts, solve, planned.Options.KeepSamples, weights.Add))
            experts = ExpertDemand.Weigh(baseModel, experts, solve, weights.Add, cancellation);
        using var alignment = AlignedAdapter.Begin(baseModel, experts, solve, rank);
        string output = plan.Options.Output;
        bool made = !Directory.Exists(output);
        try
        {
            using var card = planned.Options.CardRank == 0 ? null : new CardWriter(Path.Combine(output, CardFile.Name),
                [.. LayerStep.InputsOf(BlockOptions.Read(baseModel))], planned.Options.CardRank, experts.Sum(expert => expert.Count), solve.Answers,
                ExpertDemand.OfMerged(experts));
            var written = new LoraWriteOptions { BaseModel = plan.Config.BaseModel!.Model.Path, Type = plan.Config.OutDType ?? DType.F32 };
            var losses = AlignedAdapter.Write(output, alignment, rank, written,
                card is null ? null : card.Write, layer => layerDone?.Invoke(layer, plan.LayerCount), cancellation);
            WriteBeside(plan, planned, experts, baseModel, card, cancellation);
            return new AdapterMergeResult(plan with { Notes = [.. plan.Notes, .. weights, .. alignment.Notes] }, losses);
        }
        finally
        {
            if (made && Directory.Exists(output) && !Directory.EnumerateFileSystemEntries(output).Any())
                Directory.Delete(output);
        }
    }

    static void WriteBeside(
        MergePlan plan, PlannedAlignment planned, ImmutableArray<AlignmentExpert> experts, Checkpoint baseModel, CardWriter? card,
        CancellationToken cancellation)
    {
        string folder = plan.Options.Output;
        // The print is that of the base with the adapter as it was written, rounded.
        card?.Finish(ModelPrint.Of(LoraAdapter.Open(folder).Apply(baseModel)), experts);
        if (!planned.Options.KeepSamples || TypicalTexts.Kept(experts, planned.Options, cancellation) is not { Count: > 0 } kept) return;
        WholeFile.Write(Path.Combine(folder, AlignmentSamples.Name), AlignmentSamples.Lines(kept));
    }

    static PlannedAlignment Check(MergePlan plan, int? rank)
    {
        var config = plan.Config;
        if (rank < 1) throw new RecallException($"an adapter has a rank of 1 or more, not {rank}");
        if (plan.Alignment is not { Method: "align" or "distil" } planned)
            throw config.MethodPlace.Error("an adapter is made by merge_method: recall with combine: align or distil");
        if (planned.Method == "distil" && rank is null)
            throw config.MethodPlace.Error("distil as an adapter needs a rank (--rank R): its update has the rank of the whole matrix");
        if (config.ChatTemplate is not null)
            throw config.ChatTemplatePlace.Error("an adapter has no chat template: leave the key out");
        if (config.BaseModel is { Lora: not null } adapted)
            throw config.MethodPlace.Error($"base_model {adapted} has an adapter already, on which another cannot lie; merge the two first");
        foreach (var expert in planned.Experts)
        {
            var model = expert.Entry.Model;
            if (model.Lora is not null && model with { Lora = null } == config.BaseModel) continue;
            throw expert.Entry.Place.Error($"{model} is no adapter on {config.BaseModel}; only such are merged into an adapter: "
                + $"name it {config.BaseModel}+ADAPTER, or write a whole checkpoint");
        }
        return planned;
    }
}
