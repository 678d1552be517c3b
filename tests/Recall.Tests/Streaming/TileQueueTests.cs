using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;
using Recall.Planning;
using Recall.Streaming;

namespace Recall.Tests.Streaming;

public sealed class TileQueueTests
{
    readonly List<string> _events = [];

    sealed class Merge(string name, int passes, List<string> events) : TensorMerge
    {
        public override int Passes => passes;

        public override void EndPass(int pass, Reduced reduced) => events.Add($"{name}: pass {pass} ends");

        public override void Apply(in Strip strip, Span<float> output) => throw new InvalidOperationException("the queue computes nothing");
    }

    TensorWork Tensor(string name, int tiles, int passes)
    {
        var inputs = new TensorInputs { Name = name, Shape = new Shape(tiles * (long)TileReader.TileElements), Models = [], ModelNames = [] };
        return new TensorWork(new OutputTensor(name, inputs.Shape, DType.F32, [], new Linear(), inputs), new Merge(name, passes, _events), () => _events.Add($"{name} ends"));
    }

    static string Take(TileQueue queue, List<TileQueue.Tensor> taken)
    {
        if (!queue.Take(out var tensor, out int tile)) return "none";
        taken.Add(tensor);
        return $"{(tensor.IsReduced ? $"pass {tensor.Pass}" : "write")} {tile} of {tensor.Work.Tiles}";
    }

    [Fact]
    public void TilesComePassByPassAndOthersFillTheWait()
    {
        using var queue = new TileQueue([Tensor("a", 2, 2), Tensor("empty", 0, 1), Tensor("b", 3, 0)], threads: 2);
        var taken = new List<TileQueue.Tensor>();
        Assert.Equal("pass 0 0 of 2", Take(queue, taken));
        Assert.Equal("pass 0 1 of 2", Take(queue, taken));
        Assert.Equal("write 0 of 3", Take(queue, taken));       // a's pass is not over
        Assert.Equal(["empty: pass 0 ends", "empty ends"], _events);
        queue.Done(taken[0]);
        Assert.Equal("write 1 of 3", Take(queue, taken));
        queue.Done(taken[1]);
        Assert.Equal("a: pass 0 ends", _events[^1]);
        Assert.Equal("pass 1 0 of 2", Take(queue, taken));      // the first tensor comes first
        Assert.Equal("pass 1 1 of 2", Take(queue, taken));
        foreach (int i in (int[])[2, 3, 4, 5]) queue.Done(taken[i]);
        Assert.Equal("write 0 of 2", Take(queue, taken));
        Assert.Equal("write 1 of 2", Take(queue, taken));
        Assert.Equal("write 2 of 3", Take(queue, taken));
        foreach (int i in (int[])[8, 7, 6]) queue.Done(taken[i]);
        Assert.Equal("none", Take(queue, taken));
        Assert.Equal(["empty: pass 0 ends", "empty ends", "a: pass 0 ends", "a: pass 1 ends", "b ends", "a ends"], _events);
    }

    [Fact]
    public async Task NoMoreTensorsAreOpenThanThreadsAndOne()
    {
        int asked = 0;
        IEnumerable<TensorWork> Tensors()
        {
            foreach (string name in (string[])["a", "b", "c"])
            {
                asked++;
                yield return Tensor(name, 1, 1);
            }
        }
        using var queue = new TileQueue(Tensors(), threads: 1);
        var taken = new List<TileQueue.Tensor>();
        Take(queue, taken);
        Take(queue, taken);
        var third = Task.Run(() => Take(queue, taken), TestContext.Current.CancellationToken);
        queue.Done(taken[1]);
        Assert.Equal("write 0 of 1", await third);
        Assert.Equal(2, asked);
        queue.Done(taken[2]);
        Assert.Equal("pass 0 0 of 1", Take(queue, taken));
        Assert.Equal(3, asked);
    }

    [Fact]
    public async Task WhoWaitsIsToldThatTheQueueHasStopped()
    {
        using var queue = new TileQueue([Tensor("a", 1, 1)], threads: 2);
        Assert.True(queue.Take(out _, out _));
        var waiting = Task.Run(() => queue.Take(out _, out _), TestContext.Current.CancellationToken);
        queue.Stop();
        Assert.False(await waiting);
    }
}
