using System.Collections.Immutable;
using Recall.Checkpoints;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// The weights of one block in torch tensors that are filled anew for every layer and model: the memory is that of one layer.
/// Type is float32 or bfloat16.
/// </summary>
public sealed class LayerWeights : IDisposable
{
    readonly BlockOptions _options;
    readonly ImmutableDictionary<string, Tensor> _tensors;

    /// <summary>Room for a layer of any model with these options.</summary>
    public LayerWeights(BlockOptions options, ScalarType type = ScalarType.Float32)
    {
        _options = options;
        _tensors = Enumerable.Range(0, options.Layers).SelectMany(options.LayerTensors).DistinctBy(tensor => tensor.Name).ToImmutableDictionary(
            tensor => tensor.Name, tensor => empty([.. tensor.Shape.Dimensions], type).DetachFromDisposeScope());
    }

    /// <summary>
    /// Reads a layer of a model in place of what was held before, and gives it as a block. Before, all its tensors are looked at.
    /// </summary>
    /// <exception cref="RecallException">A tensor is missing or of another shape.</exception>
    public Block Read(Checkpoint checkpoint, int layer, TileReader reader)
    {
        foreach (var (name, shape) in _options.LayerTensors(layer)) checkpoint.Require(_options.NameOf(layer, name), shape);
        foreach (var (name, shape) in _options.LayerTensors(layer))
            checkpoint.Require(_options.NameOf(layer, name), shape).ReadInto(_tensors[name], reader);
        return new Block(_options, layer, _tensors);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _tensors.Values) tensor.Dispose();
    }
}
