using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;
using Recall.Planning;
using Recall.Representations;
using Recall.Streaming;

namespace Recall;

/// <summary>
/// A merge by what the layers do, on its way to disk: texts and cards are read and checked when it is made; then everything but linear
/// layers is merged tensor by tensor, and the linear layers are solved for from the bottom up and written as they come.
/// </summary>
sealed class AlignedMerge : IDisposable
{
    readonly MergePlan _plan;
    ImmutableArray<AlignmentExpert> _experts;
    LayerAlignment _alignment;
    readonly AlignmentOptions _options;
    readonly List<string> _demand = [];
    readonly bool _weighs;
    IReadOnlyList<string> _earlierNotes = [];
    int _notesDone;

    AlignedMerge(MergePlan plan, PlannedAlignment planned)
    {
        _plan = plan;
        _options = OptionsOf(planned);
        _experts = ExpertsOf(plan, planned);
        _alignment = new LayerAlignment(BaseOf(plan), _experts, _options);
        _weighs = ExpertDemand.IsMeasured(BaseOf(plan), _experts, _options, planned.Options.KeepSamples, _demand.Add);
    }

    /// <summary>What a plan says of how to solve.</summary>
    public static AlignmentOptions OptionsOf(PlannedAlignment planned) => new()
    {
        Kind = planned.Method switch
        {
            "align" => AlignmentKind.Align,
            "distil" => AlignmentKind.Distil,
            "regmean" => AlignmentKind.RegMean,
            _ => AlignmentKind.RegMeanPlusPlus,
        },
        Answers = planned.Options.Answers,
        Ridge = planned.Options.Ridge,
        OffDiagonal = planned.Options.OffDiagonal,
        Demand = planned.Options.Demand,
        Compute = planned.Options.Compute,
    };

    /// <summary>The experts of a plan with their texts and cards, which are read.</summary>
    public static ImmutableArray<AlignmentExpert> ExpertsOf(MergePlan plan, PlannedAlignment planned) =>
        [.. planned.Experts.Select(expert => AlignmentExpert.Read(
            plan.Models[OpenedModel.IndexOf(plan.Models, expert.Entry.Model)].Checkpoint, expert, planned.Options))];

    /// <summary>The base model of a plan.</summary>
    public static Checkpoint BaseOf(MergePlan plan) => plan.Models[OpenedModel.IndexOf(plan.Models, plan.Config.BaseModel!)].Checkpoint;

    /// <summary>Reads texts and cards, and checks them against the models; null for all other merges.</summary>
    /// <exception cref="RecallException">Texts or cards that are missing, broken, or do not fit.</exception>
    public static AlignedMerge? Of(MergePlan plan) => plan.Alignment is { } planned ? new AlignedMerge(plan, planned) : null;

    /// <summary>What was out of the ordinary, layer by layer.</summary>
    public IReadOnlyList<string> Notes => [.. _demand, .. _earlierNotes, .. _alignment.Notes];

    /// <summary>
    /// Merges and writes all tensors, and beside them the merged model's card and kept texts. Groups of the journal: 0 all that is not
    /// solved for, l block l (from 1), then the head. Layers that a killed run has left are not solved again: the texts go through them
    /// with the weights that were written.
    /// </summary>
    public void Run(OutputWriter writer, ProgressMeter meter, CancellationToken cancellation) =>
        TorchThreads.Within(_plan.Options.Threads, () => Merge(writer, meter, cancellation));

    void Merge(OutputWriter writer, ProgressMeter meter, CancellationToken cancellation)
    {
        meter.Tell("reading texts");
        Prepare(meter, cancellation);
        using var card = OpenCard(writer);
        try
        {
            _earlierNotes = writer.EarlierNotes;
            WriteRest(writer, meter, cancellation);
            var written = _plan.Tensors.ToDictionary(tensor => tensor.Name, tensor => new WrittenTensor(tensor, writer), StringComparer.Ordinal);
            meter.Tell("layer 1");
            _alignment.Run(Write(writer, meter), card is null ? null : card.Write, layer => Done(layer, writer, meter, card), cancellation,
                new FinishedLayers(layer => writer.IsDone(layer + 1), name => written[name]));
            card?.Finish(ModelPrint.Of(written.Values), _experts);
            if (_plan.Alignment!.Options.KeepSamples && TypicalTexts.Kept(_experts, _plan.Alignment.Options, cancellation) is { Count: > 0 } kept)
                writer.AddText(AlignmentSamples.Name, AlignmentSamples.Lines(kept));
        }
        finally
        {
            // The card is closed before the writer looks whether the folder is empty.
            if (card is not null) card.IsKept = writer.IsKept;
        }
    }

    /// <summary>Chooses among candidates, and weighs the experts, where that is asked.</summary>
    void Prepare(ProgressMeter meter, CancellationToken cancellation)
    {
        var planned = _plan.Alignment!.Options;
        if (!_weighs && !_experts.Any(expert => expert.AreCandidates)) return;
        _experts = TypicalTexts.Chosen(_experts, planned, cancellation);
        if (_weighs)
        {
            meter.Tell("weighing the experts");
            _experts = ExpertDemand.Weigh(BaseOf(_plan), _experts, _options, _demand.Add, cancellation);
        }
        _alignment.Dispose();
        _alignment = new LayerAlignment(BaseOf(_plan), _experts, _options);
    }

    CardWriter? OpenCard(OutputWriter writer)
    {
        int? rank = _plan.Alignment!.Options.CardRank;
        if (rank == 0 || _options.IsRegMean) return null;
        var card = new CardWriter(Path.Combine(_plan.Options.Output, CardFile.Name), [.. LayerStep.InputsOf(_alignment.Options)], rank,
            _experts.Sum(expert => expert.Count), _options.Answers, ExpertDemand.OfMerged(_experts), writer.IsResumed);
        if (!card.IsResumed) writer.StartAfresh();
        return card;
    }

    void Done(int layer, OutputWriter writer, ProgressMeter meter, CardWriter? card)
    {
        if (writer.IsDone(layer + 1)) meter.Skip(_alignment.LinearWeightsOf(layer).Sum(name => _plan.Tensors.First(tensor => tensor.Name == name).Length));
        else writer.GroupDone(layer + 1, [.. _alignment.Notes.Skip(_notesDone)], card is null ? null : card.Flush);
        _notesDone = _alignment.Notes.Count;
        meter.Tell($"layer {layer + 2}");
    }

    void WriteRest(OutputWriter writer, ProgressMeter meter, CancellationToken cancellation)
    {
        var linear = _alignment.LinearWeights.ToHashSet(StringComparer.Ordinal);
        var rest = _plan.Tensors.Where(tensor => !linear.Contains(tensor.Name)).ToList();
        if (writer.IsDone(0))
        {
            meter.Skip(rest.Sum(tensor => tensor.Length));
            return;
        }
        new TensorStream(new WorkerPool(_plan.Options.Threads, null), writer).Run(rest.Select(Work), meter.Add, cancellation);
        writer.GroupDone(0);
    }

    TensorWork Work(OutputTensor tensor)
    {
        if (tensor.Copied is not null) return new TensorWork(tensor, null);
        var counts = tensor.Inputs.Models.Select(model =>
            (double)(_experts.FirstOrDefault(expert => expert.Name == _plan.Models[model].Name)?.Count ?? 1)).ToImmutableArray();
        return new TensorWork(tensor, tensor.Method.Prepare(tensor.Inputs with { PerModel = tensor.Inputs.PerModel.SetItem(LeastSquares.Experts, counts) }));
    }

    /// <summary>Writes rows, and leaves in them what is in the file: what the layers above are solved with, now and after a resume.</summary>
    MergedRows Write(OutputWriter writer, ProgressMeter meter)
    {
        var places = _plan.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        return (name, first, rows) =>
        {
            var tensor = places[name];
            var encoding = PlainEncoding.Of(tensor.DType);
            using var flat = rows.view(-1);
            long start = first * tensor.Shape.RowLength;
            for (long tile = 0, elements = flat.numel(); tile < elements; tile += TileReader.TileElements)
            {
                using var part = flat.narrow(0, tile, Math.Min(TileReader.TileElements, elements - tile));
                var values = MemoryMarshal.Cast<byte, float>(part.bytes);
                if (!(Elementwise.MaxMagnitude(values) <= tensor.DType.LargestNumber()))
                    throw new RecallException($"{tensor.Name}: the solution does not fit {tensor.DType.TorchName()}; set out_dtype: "
                        + $"float32, or a larger ridge");
                var bytes = new byte[(int)encoding.Bytes(values.Length)];
                encoding.Encode(values, bytes);
                encoding.Decode(bytes, values);
                writer[tensor.Shard].Write(tensor.Offset + encoding.Bytes(start + tile), bytes);
                meter.Add(bytes.Length);
            }
        };
    }

    public void Dispose() => _alignment.Dispose();
}
