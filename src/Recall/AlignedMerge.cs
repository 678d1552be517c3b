using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;
using Recall.Planning;
using Recall.Streaming;

using TorchSharp;

namespace Recall;

/// <summary>
/// A merge by what the layers do, on its way to disk: texts and cards are read and checked when it is made; then everything but linear
/// layers is merged tensor by tensor, and the linear layers are solved for from the bottom up and written as they come.
/// </summary>
sealed class AlignedMerge : IDisposable
{
    readonly MergePlan _plan;
    readonly ImmutableArray<AlignmentExpert> _experts;
    readonly LayerAlignment _alignment;
    readonly AlignmentOptions _options;
    CardWriter? _card;

    AlignedMerge(MergePlan plan, PlannedAlignment planned)
    {
        _plan = plan;
        var options = planned.Options;
        _options = new AlignmentOptions
        {
            Kind = planned.Method switch
            {
                "align" => AlignmentKind.Align,
                "distil" => AlignmentKind.Distil,
                "regmean" => AlignmentKind.RegMean,
                _ => AlignmentKind.RegMeanPlusPlus,
            },
            Answers = options.Answers,
            Ridge = options.Ridge,
            OffDiagonal = options.OffDiagonal,
            Compute = options.Compute,
        };
        _experts = [.. planned.Experts.Select(expert =>
            AlignmentExpert.Read(plan.Models[OpenedModel.IndexOf(plan.Models, expert.Entry.Model)].Checkpoint, expert, options))];
        _alignment = new LayerAlignment(Base, _experts, _options);
    }

    Checkpoint Base => _plan.Models[OpenedModel.IndexOf(_plan.Models, _plan.Config.BaseModel!)].Checkpoint;

    /// <summary>Reads texts and cards, and checks them against the models; null for all other merges.</summary>
    /// <exception cref="RecallException">Texts or cards that are missing, broken, or do not fit.</exception>
    public static AlignedMerge? Of(MergePlan plan) => plan.Alignment is { } planned ? new AlignedMerge(plan, planned) : null;

    /// <summary>What was out of the ordinary, layer by layer.</summary>
    public IReadOnlyList<string> Notes => _alignment.Notes;

    /// <summary>Merges and writes all tensors, and beside them the merged model's card and kept texts.</summary>
    public void Run(OutputWriter writer, ProgressMeter meter, CancellationToken cancellation)
    {
        try
        {
            var places = _plan.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
            var print = new ModelPrint();
            WriteRest(writer, meter, print, cancellation);
            int total = _experts.Sum(expert => expert.Count);
            if (_plan.Alignment!.Options.CardRank != 0 && _options.Kind is AlignmentKind.Align or AlignmentKind.Distil)
                _card = new CardWriter(Path.Combine(_plan.Options.Output, CardFile.Name), [.. LayerStep.InputsOf(_alignment.Options)],
                    _plan.Alignment.Options.CardRank, total, _options.Answers);
            meter.Tell("layer 1");
            _alignment.Run((name, first, rows) => Write(places[name], first, rows, writer, meter, print),
                _card is null ? null : (input, system) => _card.Write(input, system), layer =>
                    meter.Tell($"layer {layer + 2}"), cancellation);
            bool all = _experts.All(expert => expert.Texts.Count > 0);
            var texts = _experts.SelectMany(expert =>
                expert.Texts.Select(text => text.Task.Length > 0 ? text : text with { Task = expert.Name })).ToList();
            _card?.Finish(print.ToString(), all ? ModelPrint.Of(texts) : new string('0', 64), texts.Sum(text => (long)text.Ids.Length));
            if (_plan.Alignment.Options.KeepSamples && texts.Count > 0) writer.AddText(AlignmentSamples.Name,
                AlignmentSamples.Lines(texts));
        }
        finally
        {
            // Before the writer looks whether the folder is empty.
            _card?.Dispose();
        }
    }

    void WriteRest(OutputWriter writer, ProgressMeter meter, ModelPrint print, CancellationToken cancellation)
    {
        var linear = _alignment.LinearWeights.ToHashSet(StringComparer.Ordinal);
        var rest = _plan.Tensors.Where(tensor => !linear.Contains(tensor.Name)).ToList();
        var stream = new TensorStream(new WorkerPool(_plan.Options.Threads, null), writer);
        stream.Run([.. rest.Select(Work)], meter.Add, cancellation);
        var reader = new TileReader();
        foreach (var tensor in rest.Where(tensor => tensor.Copied is null))
        {
            var first = new float[Math.Min(ModelPrint.Values, tensor.Shape.Elements)];
            reader.BeginTensor();
            reader.Begin(first.Length);
            (_alignment.Rest.Find(tensor.Name) ?? tensor.Sources[0]).Read(reader, 0, first);
            print.Add(tensor.Name, tensor.Shape, Rounded(first, tensor.DType));
        }
    }

    TensorWork Work(OutputTensor tensor)
    {
        if (tensor.Copied is not null) return new TensorWork(tensor, null);
        var counts = tensor.Inputs.Models.Select(model =>
            (double)(_experts.FirstOrDefault(expert => expert.Name == _plan.Models[model].Name)?.Count ?? 1)).ToImmutableArray();
        return new TensorWork(tensor, tensor.Method.Prepare(tensor.Inputs with { PerModel = tensor.Inputs.PerModel.SetItem(LeastSquares.Experts, counts) }));
    }

    static void Write(OutputTensor tensor, long first, torch.Tensor rows, OutputWriter writer, ProgressMeter meter, ModelPrint print)
    {
        var encoding = PlainEncoding.Of(tensor.DType);
        using var flat = rows.view(-1);
        long start = first * tensor.Shape.RowLength;
        for (long tile = 0, elements = flat.numel(); tile < elements; tile += TileReader.TileElements)
        {
            using var part = flat.narrow(0, tile, Math.Min(TileReader.TileElements, elements - tile));
            var values = MemoryMarshal.Cast<byte, float>(part.bytes);
            if (!(Elementwise.MaxMagnitude(values) <= tensor.DType.LargestNumber()))
                throw new RecallException($"{tensor.Name}: the solution does not fit {tensor.DType.TorchName()}; set out_dtype: float32, "
                    + $"or a larger ridge");
            var bytes = new byte[(int)encoding.Bytes(values.Length)];
            encoding.Encode(values, bytes);
            writer.Write(tensor.Shard, tensor.Offset + encoding.Bytes(start + tile), bytes);
            meter.Add(bytes.Length);
            if (start + tile == 0) print.Add(tensor.Name, tensor.Shape,
                Rounded(values[..Math.Min(ModelPrint.Values, values.Length)], tensor.DType));
        }
    }

    static float[] Rounded(ReadOnlySpan<float> values, DType type)
    {
        var encoding = PlainEncoding.Of(type);
        var bytes = new byte[(int)encoding.Bytes(values.Length)];
        encoding.Encode(values, bytes);
        var rounded = new float[values.Length];
        encoding.Decode(bytes, rounded);
        return rounded;
    }

    public void Dispose() => _alignment.Dispose();
}
