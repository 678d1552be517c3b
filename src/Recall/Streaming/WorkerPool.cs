using System.Runtime.ExceptionServices;
using Recall.Checkpoints;
using Recall.Methods;

namespace Recall.Streaming;

/// <summary>
/// The threads of a merge and their buffers, which are kept from tile to tile: memory that is touched for the first time is slow.
/// </summary>
sealed class WorkerPool
{
    readonly Worker[] _workers;

    public WorkerPool(int threads, LayerBuffer? resident) => _workers = [.. Enumerable.Range(0, Math.Max(threads, 1)).Select(_ => new Worker(resident))];

    /// <summary>Number of threads.</summary>
    public int Threads => _workers.Length;

    /// <summary>Runs the body on every thread, and throws the first exception of any of them when all have ended.</summary>
    public void Run(Action<Worker> body)
    {
        var failure = (Exception?)null;
        void Work(Worker worker)
        {
            try
            {
                body(worker);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
        }
        var others = _workers.Skip(1).Select(worker => Task.Run(() => Work(worker), CancellationToken.None)).ToArray();
        Work(_workers[0]);
        Task.WaitAll(others, CancellationToken.None);
        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
    }
}

/// <summary>The buffers of one thread.</summary>
sealed class Worker(LayerBuffer? resident)
{
    float[][] _strips = [];
    float[] _output = [];
    double[] _sums = [];
    long[] _counts = [];

    /// <summary>Reads tensors.</summary>
    public TileReader Reader { get; } = new(resident);

    /// <summary>The tensor read last: its small factors are kept decoded.</summary>
    public object? LastTensor { get; set; }

    /// <summary>The strips of that tensor, where its sources lie in files as bfloat16.</summary>
    public BFloat16Strip? Stored { get; set; }

    /// <summary>One strip a model.</summary>
    public float[][] Strips(int count, int length)
    {
        if (_strips.Length < count) Array.Resize(ref _strips, count);
        for (int i = 0; i < count; i++)
            if (_strips[i] is null || _strips[i].Length < length) _strips[i] = GC.AllocateUninitializedArray<float>(length);
        return _strips;
    }

    /// <summary>The merged strip.</summary>
    public Span<float> Output(int length) => Grown(ref _output, length);

    /// <summary>Sums of a tile, at 0.</summary>
    public Span<double> Sums(int length) => Cleared(Grown(ref _sums, length));

    /// <summary>Counters of a tile, at 0: who has added them up leaves them so (<see cref="Numerics.Counters.Move"/>).</summary>
    public Span<long> Counts(int length)
    {
        if (_counts.Length < length) _counts = new long[length];
        return _counts.AsSpan(0, length);
    }

    static Span<T> Grown<T>(ref T[] array, int length)
    {
        if (array.Length < length) array = GC.AllocateUninitializedArray<T>(length);
        return array.AsSpan(0, length);
    }

    static Span<T> Cleared<T>(Span<T> span)
    {
        span.Clear();
        return span;
    }
}
