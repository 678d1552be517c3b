using System.Collections.Immutable;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>
/// Fixes the file and the offset of every output tensor. Tensors fill shard after shard in the order of their source's name (as mergekit
/// does, so that shards hold the same tensors); within a shard wider types go first, as in the safetensors library, so that all are aligned.
/// </summary>
static class OutputLayout
{
    public static (ImmutableArray<OutputTensor> Tensors, ImmutableArray<OutputShard> Shards) Make(IEnumerable<OutputTensor> tensors, long shardBytes)
    {
        var shards = new List<List<OutputTensor>>();
        long filled = 0;
        foreach (var tensor in tensors.OrderBy(tensor => tensor.Sources[0].Name, StringComparer.Ordinal))
        {
            if (shards.Count == 0 || (shardBytes > 0 && filled > 0 && filled + tensor.Length > shardBytes))
            {
                shards.Add([]);
                filled = 0;
            }
            shards[^1].Add(tensor);
            filled += tensor.Length;
        }
        var placed = ImmutableArray.CreateBuilder<OutputTensor>();
        var files = ImmutableArray.CreateBuilder<OutputShard>();
        for (int shard = 0; shard < shards.Count; shard++)
        {
            var inside = shards[shard].OrderByDescending(tensor => tensor.DType.Size()).ToList();
            var (header, offsets, length) = SafetensorsHeader.Make(
                inside.Select(tensor => (tensor.Name, tensor.DType, tensor.Shape)), SafetensorsHeader.TorchMetadata);
            for (int i = 0; i < inside.Count; i++) placed.Add(inside[i] with { Shard = shard, Offset = offsets[i] });
            string name = shards.Count == 1 ? "model.safetensors" : $"model-{shard + 1:D5}-of-{shards.Count:D5}.safetensors";
            files.Add(new OutputShard(name, header, length));
        }
        return (placed.ToImmutable(), files.ToImmutable());
    }
}
