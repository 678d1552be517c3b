using System.Collections.Immutable;

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
        foreach (var each in work) each.End();
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
