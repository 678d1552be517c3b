using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;
using Recall.Planning;
using Recall.Streaming;

namespace Recall.Tests.Methods;

/// <summary>A method with parameters, and tensors in memory that it merges the way files are merged.</summary>
sealed record MethodRun(MergeMethod Method, TensorInputs Inputs, float[][] Values)
{
    /// <summary>Merges by tiles.</summary>
    public float[] Merge(int threads = 1) => Merge(Method.Prepare(Inputs), threads);

    /// <summary>Merges by tiles, in a way of its own.</summary>
    public float[] Merge(TensorMerge merge, int threads)
    {
        var sources = Values.Select((values, i) => (TensorSource)new InMemory(Inputs.ModelNames[i], Inputs.Shape, values)).ToImmutableArray();
        var work = new TensorWork(new OutputTensor(Inputs.Name, Inputs.Shape, DType.F32, sources, Method, Inputs), merge);
        var pool = new WorkerPool(threads, null);
        var merged = new float[Inputs.Shape.Elements];
        int pass = 0;
        for (; work.HasPass(pass); pass++)
        {
            work.BeginPass(pass);
            Each((tile, worker) => work.Reduce(pass, tile, worker));
            work.EndPass(pass);
        }
        long tileElements = Math.Max(work.TileElements, 1);
        Each((tile, worker) => work.Merge(
            tile, worker, MemoryMarshal.AsBytes(merged.AsSpan(checked((int)(tile * tileElements)))[..(work.Bytes(tile) / sizeof(float))])));
        work.End();
        return merged;

        void Each(Action<int, Worker> body)
        {
            int next = -1;
            pool.Run(worker =>
            {
                for (int tile; (tile = Interlocked.Increment(ref next)) < work.Tiles;) body(tile, worker);
            });
        }
    }

    /// <summary>The same with the models in another order.</summary>
    public MethodRun Permuted(int[] order) => this with { Inputs = Inputs.Only(order), Values = [.. order.Select(i => Values[i])] };

    sealed class InMemory(string name, Shape shape, float[] values) : TensorSource
    {
        public override string Name => name;

        public override Shape Shape => shape;

        public override DType DType => DType.F32;

        public override IEnumerable<StoredTensor> Stored => [];

        public override void Read(TileReader reader, long start, Span<float> destination) => values.AsSpan((int)start, destination.Length).CopyTo(destination);
    }
}
