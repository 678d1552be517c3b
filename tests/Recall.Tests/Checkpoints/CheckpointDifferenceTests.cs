using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;

namespace Recall.Tests.Checkpoints;

public class CheckpointDifferenceTests
{
    [Fact]
    public void TheResultDoesNotDependOnTheNumberOfThreads()
    {
        using var folder = new TemporaryFolder();
        var (a, b) = (Write(folder["a.safetensors"], 1), Write(folder["b.safetensors"], 2));
        long bytes = 0;
        var one = CheckpointDifference.Between(a, b, threads: 1, progress: done => bytes += done);
        Assert.Equal(CheckpointDifference.BytesToRead(a, b), bytes);
        foreach (int threads in new[] { 2, 7 })
        {
            var many = CheckpointDifference.Between(a, b, threads);
            Assert.Equal(one.Tensors.Select(tensor => (tensor.Name, tensor.Sums)), many.Tensors.Select(tensor => (tensor.Name, tensor.Sums)));
        }
        Assert.Equal(["large", "small", "empty"], one.Tensors.Select(tensor => tensor.Name));
        Assert.True(one.Largest > 0);
        Assert.Equal(0, one.Tensors[2].Sums.Largest);
    }

    [Fact]
    public void OneValueBeyondTheFirstPieceIsFound()
    {
        using var folder = new TemporaryFolder();
        var a = Write(folder["a.safetensors"], 1);
        var b = Write(folder["b.safetensors"], 1, values => values[^1] += 1);
        var difference = CheckpointDifference.Between(a, b, threads: 2);
        Assert.InRange(difference.Largest, 0.9999, 1.0001);
        Assert.False(difference.Within(0.5));
        Assert.True(difference.Within(1.5));
        Assert.Equal(0, difference.Tensors[1].Sums.Largest);
    }

    [Fact]
    public void ACancelledComparisonStops()
    {
        using var folder = new TemporaryFolder();
        var a = Write(folder["a.safetensors"], 1);
        Assert.Throws<OperationCanceledException>(() => CheckpointDifference.Between(a, a, threads: 2, cancellation: new CancellationToken(canceled: true)));
    }

    static Checkpoint Write(string path, int seed, Action<float[]>? change = null)
    {
        var random = new Random(seed);
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)random.NextDouble())];
        // More than one piece of work (16 tiles), and not a multiple of anything.
        int rows = 16 * TileReader.TileElements / 1000 + 3;
        float[] large = Values(rows * 1000), small = Values(7);
        change?.Invoke(large);
        SafetensorsWriter.Write(path,
        [
            TensorBytes.Of("large", new Shape(rows, 1000), large), TensorBytes.Of("small", new Shape(7), small), TensorBytes.Of("empty", new Shape(0, 4), []),
        ]);
        return Checkpoint.Open(path);
    }
}
