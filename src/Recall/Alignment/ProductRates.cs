using System.Diagnostics;
using Recall.Configuration;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>How many multiplications a second this machine does in products of matrices, as it is busy just now.</summary>
/// <param name="Forward">In the type of forward passes.</param>
/// <param name="Single">In float32.</param>
/// <param name="Double">In double precision.</param>
public sealed record ProductRates(double Forward, double Single, double Double)
{
    static readonly TimeSpan Each = TimeSpan.FromSeconds(0.5);

    /// <summary>Measures, each type for half a second or for one product.</summary>
    /// <param name="size">Rows and columns: about those of the models' layers.</param>
    /// <param name="compute">The type of forward passes.</param>
    public static ProductRates Measure(int size, ComputeType compute)
    {
        using var quiet = no_grad();
        var type = ComputeTypes.Of(compute);
        double single = Of(size, ScalarType.Float32);
        return new ProductRates(type == ScalarType.Float32 ? single : Of(size, type), single, Of(size, ScalarType.Float64));
    }

    static double Of(int size, ScalarType type)
    {
        using var scope = NewDisposeScope();
        // Ones: numbers so small that they lose their leading bit would take longer.
        Tensor left = ones([size, size], type), right = ones([size, size], type);
        left.mm(right).Dispose();
        long begin = Stopwatch.GetTimestamp();
        for (int rounds = 1; ; rounds++)
        {
            left.mm(right).Dispose();
            var elapsed = Stopwatch.GetElapsedTime(begin);
            if (elapsed > Each) return (double)rounds * size * size * size / elapsed.TotalSeconds;
        }
    }
}
