namespace Recall.Streaming;

/// <summary>
/// Merges output tensors: of each first the reduce passes that it needs, then the pass that writes. All tiles are one queue, so that neither small tensors
/// nor the end of a pass keep a thread waiting.
/// </summary>
sealed class TensorStream(WorkerPool workers, OutputWriter writer)
{
    /// <summary>Merges the tensors.</summary>
    /// <param name="tensors">The tensors, asked for one by one.</param>
    /// <param name="written">Told the bytes of each tile that is in its place.</param>
    /// <param name="cancellation">Stops between two tiles.</param>
    public void Run(IEnumerable<TensorWork> tensors, Action<int> written, CancellationToken cancellation)
    {
        using var queue = new TileQueue(tensors, workers.Threads);
        workers.Run(worker =>
        {
            try
            {
                while (queue.Take(out var tensor, out int tile))
                {
                    cancellation.ThrowIfCancellationRequested();
                    if (!tensor.IsReduced)
                    {
                        tensor.Work.Apply(tile, worker, writer, bytes =>
                        {
                            written(bytes);
                            queue.Done(tensor);
                        });
                        continue;
                    }
                    tensor.Work.Reduce(tensor.Pass, tile, worker);
                    queue.Done(tensor);
                }
            }
            finally
            {
                queue.Stop();
            }
        });
    }
}
