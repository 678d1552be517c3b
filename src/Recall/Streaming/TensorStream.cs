using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Planning;

namespace Recall.Streaming;

/// <summary>
/// Merges a group of output tensors: first the reduce passes of all that need them, then the pass that writes. All tiles of the group are one
/// queue, so that small tensors keep every thread busy; between passes the threads wait for one another.
/// </summary>
sealed class TensorStream(WorkerPool workers, OutputWriter writer)
{
    /// <summary>Merges the group.</summary>
    /// <param name="work">Its tensors.</param>
    /// <param name="written">Told the bytes of each tile that is in its place.</param>
    /// <param name="cancellation">Stops between two tiles.</param>
    public void Run(IReadOnlyList<TensorWork> work, Action<int> written, CancellationToken cancellation)
    {
        for (int pass = 0; ; pass++)
        {
            var reducing = work.Where(each => each.HasPass(pass)).ToImmutableArray();
            if (reducing.IsEmpty) break;
            foreach (var each in reducing) each.BeginPass(pass);
            Each(reducing, (item, tile, worker) => item.Reduce(pass, tile, worker), cancellation);
            foreach (var each in reducing) each.EndPass(pass);
        }
        Each([.. work], (item, tile, worker) => written(item.Apply(tile, worker, writer)), cancellation);
    }

    void Each(ImmutableArray<TensorWork> work, Action<TensorWork, int, Worker> body, CancellationToken cancellation)
    {
        var ends = new int[work.Length];
        int tiles = 0;
        for (int i = 0; i < work.Length; i++) ends[i] = tiles += work[i].Tiles;
        workers.Run(tiles, (worker, tile) =>
        {
            int item = Array.BinarySearch(ends, tile + 1);
            if (item < 0) item = ~item;
            while (item > 0 && ends[item - 1] > tile) item--;   // tensors without elements have the end of the one before
            body(work[item], tile - (item == 0 ? 0 : ends[item - 1]), worker);
        }, cancellation);
    }
}

/// <summary>Groups of output tensors, in the order in which they are merged.</summary>
static class TensorGroups
{
    /// <summary>
    /// Without representations: runs of the output's order whose inputs have about as many bytes as the options say. With them: the embedding, layer after layer, what
    /// follows the last layer, and last what takes the mean of all weights.
    /// </summary>
    public static ImmutableArray<ImmutableArray<OutputTensor>> Of(MergePlan plan, bool byLayer)
    {
        if (byLayer)
        {
            int Order(OutputTensor tensor) => tensor.WeightLayer < 0 ? int.MaxValue
                : 2 * tensor.WeightLayer + (tensor.WeightLayer > 0 && plan.Donor.Architecture.LayerOf(tensor.Name) is null ? 1 : 0);
            return [.. plan.Tensors.GroupBy(Order).OrderBy(group => group.Key).Select(group => group.ToImmutableArray())];
        }
        var groups = ImmutableArray.CreateBuilder<ImmutableArray<OutputTensor>>();
        var group = ImmutableArray.CreateBuilder<OutputTensor>();
        long bytes = 0;
        foreach (var tensor in plan.Tensors)
        {
            long own = tensor.Sources.SelectMany(source => source.Stored).Distinct<StoredTensor>(ReferenceEqualityComparer.Instance).Sum(stored => stored.Length);
            if (group.Count > 0 && bytes + own > plan.Options.GroupBytes)
            {
                groups.Add(group.ToImmutable());
                group.Clear();
                bytes = 0;
            }
            group.Add(tensor);
            bytes += own;
        }
        groups.Add(group.ToImmutable());
        return groups.ToImmutable();
    }
}
