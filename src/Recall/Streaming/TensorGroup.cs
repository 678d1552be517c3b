using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Planning;

namespace Recall.Streaming;

/// <summary>Output tensors that are merged together.</summary>
/// <param name="Tensors">The tensors.</param>
/// <param name="Layer">In a merge by representations the layer that must be weighed before: 0 the embedding, l block l, from 1; null: none.</param>
sealed record TensorGroup(ImmutableArray<OutputTensor> Tensors, int? Layer)
{
    /// <summary>Bytes of the tensors in the output.</summary>
    public long Bytes => Tensors.Sum(tensor => tensor.Length);

    /// <summary>The stored tensors that they are made of, each once.</summary>
    public IEnumerable<StoredTensor> Stored =>
        Tensors.SelectMany(tensor => tensor.Sources).SelectMany(source => source.Stored).Distinct<StoredTensor>(ReferenceEqualityComparer.Instance);
}

/// <summary>Groups of output tensors, in the order in which they are merged.</summary>
static class TensorGroups
{
    /// <summary>
    /// Without representations: runs of the output's order whose inputs have about as many bytes as the options say. With them: the embedding,
    /// layer after layer, what follows the last layer, and last what takes the mean of all weights.
    /// </summary>
    public static ImmutableArray<TensorGroup> Of(MergePlan plan, bool byLayer) => byLayer ? ByLayer(plan) : BySize(plan);

    static ImmutableArray<TensorGroup> ByLayer(MergePlan plan)
    {
        bool InLayer(OutputTensor tensor) => plan.Donor.Architecture.LayerOf(tensor.Name) is not null;
        var groups = ImmutableArray.CreateBuilder<TensorGroup>();
        for (int layer = 0; layer <= plan.LayerCount; layer++)
            groups.Add(new TensorGroup([.. plan.Tensors.Where(tensor => tensor.WeightLayer == layer && (layer == 0 || InLayer(tensor)))], layer));
        groups.Add(new TensorGroup([.. plan.Tensors.Where(tensor => tensor.WeightLayer != 0 && !InLayer(tensor))], null));
        return groups.ToImmutable();
    }

    static ImmutableArray<TensorGroup> BySize(MergePlan plan)
    {
        var groups = ImmutableArray.CreateBuilder<TensorGroup>();
        var group = ImmutableArray.CreateBuilder<OutputTensor>();
        long bytes = 0;
        foreach (var tensor in plan.Tensors)
        {
            long own = new TensorGroup([tensor], null).Stored.Sum(stored => stored.Length);
            if (group.Count > 0 && bytes + own > plan.Options.GroupBytes)
            {
                groups.Add(new TensorGroup(group.ToImmutable(), null));
                group.Clear();
                bytes = 0;
            }
            group.Add(tensor);
            bytes += own;
        }
        groups.Add(new TensorGroup(group.ToImmutable(), null));
        return groups.ToImmutable();
    }
}
