using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>A block with norms and biases only, read from a model.</summary>
sealed class BlockNorms : IDisposable
{
    public BlockNorms(Checkpoint checkpoint, BlockOptions options, int layer, IEnumerable<(string Name, Shape Shape)> tensors,
        TileReader reader) =>
        Block = new Block(options, layer, tensors.ToImmutableDictionary(
            tensor => tensor.Name, tensor => checkpoint.Read(options.NameOf(layer, tensor.Name), tensor.Shape, ScalarType.Float32, reader)));

    public Block Block { get; }

    public void Dispose()
    {
        foreach (var tensor in Block.Weights.Values) tensor.Dispose();
    }
}
