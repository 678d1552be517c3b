using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Planning;
using Recall.Representations;

namespace Recall;

/// <summary>
/// Where the layer weights of a merge by representations come from: a weights.json, or the typical samples, which all models read layer by layer
/// while the merge goes up with them.
/// </summary>
public sealed class MergeWeights : IDisposable
{
    readonly MergePlan _plan;
    readonly ImmutableArray<(string Name, Checkpoint Checkpoint)> _models;
    readonly IReadOnlyList<Sample> _candidates = [];
    readonly bool _chosen;
    WeightsFile? _file;
    RecallWeights? _live;

    MergeWeights(MergePlan plan)
    {
        _plan = plan;
        _models = [.. plan.Weighting!.Models.Select(model => (plan.Models[model].Name, plan.Models[model].Checkpoint))];
        if (plan.Options.WeightsFile is { } path)
        {
            _file = WeightsFile.Read(path);
            _file.RequireFor(path, [.. _models.Select(model => model.Name)], plan.LayerCount);
            return;
        }
        (_candidates, _chosen) = SampleReader.Read(Reference.Name, Reference.Checkpoint, plan.Weighting.Options);
        RecallWeights.Check(_models, _candidates, plan.Weighting.Options);
    }

    (string Name, Checkpoint Checkpoint) Reference => _models[_plan.Weighting!.Reference];

    /// <summary>True where weights come from the samples, layer after layer; false where they are all known.</summary>
    public bool FromSamples => _file is null;

    /// <summary>The texts that the typical samples are chosen from.</summary>
    public IReadOnlyList<Sample> Candidates => _candidates;

    /// <summary>Reads the weights file, or the texts, and checks them against the models; null for a merge without layer weights.</summary>
    /// <exception cref="RecallException">No samples, tokens that a model does not have, a family without forward pass, a file of other models.</exception>
    public static MergeWeights? Of(MergePlan plan) => plan.Weighting is null ? null : new MergeWeights(plan);

    /// <summary>Chooses the typical samples; a choice that was made before is taken as it is.</summary>
    public IReadOnlyList<Sample> Samples(CancellationToken cancellation = default) =>
        _chosen ? _candidates : RecallWeights.Choose(Reference.Name, Reference.Checkpoint, _candidates, _plan.Weighting!.Options, cancellation);

    /// <summary>The tensors that the models' forward passes read for a layer.</summary>
    public IEnumerable<StoredTensor> Sources(int layer) => Live(default).Sources(layer).SelectMany(source => source.Stored);

    /// <summary>Brings all models one layer up and weighs it: 0 the embedding's output, l that of block l, from 1.</summary>
    public void Advance(int layer, TileReader reader, CancellationToken cancellation) =>
        TorchThreads.Within(_plan.Options.Threads, () => Live(cancellation).Layer(layer, reader, cancellation));

    /// <summary>The weights of a layer that has been weighed; −1: the mean over all layers.</summary>
    public ImmutableArray<double> this[int layer] => layer < 0 ? File.Mean() : File.Layers[layer].Weights;

    /// <summary>Samples, similarities and weights of the layers so far.</summary>
    public WeightsFile File => _file ?? Live(default).ToFile();

    /// <summary>All layers, without a merge.</summary>
    public WeightsFile Compute(IProgress<ModelWeights>? progress = null, CancellationToken cancellation = default) =>
        _file ?? RecallWeights.Compute(_models, _plan.Weighting!.Reference, Samples(cancellation), _plan.Weighting.Options, progress, cancellation);

    RecallWeights Live(CancellationToken cancellation) =>
        _live ??= new RecallWeights(_models, _plan.Weighting!.Reference, Samples(cancellation), _plan.Weighting.Options);

    /// <inheritdoc/>
    public void Dispose() => _live?.Dispose();
}
