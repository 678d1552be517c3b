using System.Runtime.InteropServices;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>The weights by which neighbours stand for a row.</summary>
static class NeighbourWeights
{
    /// <summary>Distances below this one count as it.</summary>
    const double Nearest = 1e-6;

    /// <summary>The weights of each neighbour.</summary>
    /// <param name="target">[width], float64.</param>
    /// <param name="neighbours">[k, width], float64.</param>
    /// <param name="options">The scheme, and what distance means.</param>
    public static float[] Of(Tensor target, Tensor neighbours, SurgeryOptions options) => options.Weights switch
    {
        WeightScheme.LeastSquares => [.. Solve(neighbours, target).Select(weight => (float)weight)],
        WeightScheme.Barycentric => Barycentric(target, neighbours),
        _ => ByDistance(target, neighbours, options.Cosine),
    };

    static float[] ByDistance(Tensor target, Tensor neighbours, bool cosine)
    {
        double[] distances = cosine ? Angles(target, neighbours) : Doubles(neighbours.Minus(target).norm(1));
        double[] weights = [.. distances.Select(distance => 1 / Math.Max(distance, Nearest))];
        double sum = weights.Sum();
        return [.. weights.Select(weight => (float)(weight / sum))];
    }

    /// <summary>1 − cosine.</summary>
    static double[] Angles(Tensor target, Tensor neighbours)
    {
        double[] products = Doubles(neighbours.mv(target)), lengths = Doubles(neighbours.norm(1)), own = Doubles(target.unsqueeze(0).norm(1));
        return [.. products.Zip(lengths, (product, length) => 1 - product / Math.Max(length * own[0], 1e-24))];
    }

    /// <summary>Relative to the first neighbour the sum is free.</summary>
    static float[] Barycentric(Tensor target, Tensor neighbours)
    {
        if (neighbours.shape[0] == 1) return [1];
        var origin = neighbours.select(0, 0);
        double[] rest = Solve(neighbours.narrow(0, 1, neighbours.shape[0] - 1).Minus(origin), target.Minus(origin));
        return [(float)(1 - rest.Sum()), .. rest.Select(weight => (float)weight)];
    }

    /// <summary>The shortest w that minimises ‖Σ w_i · row_i − target‖.</summary>
    static double[] Solve(Tensor rows, Tensor target) => Doubles(linalg.pinv(rows.t()).mv(target));

    static double[] Doubles(Tensor values)
    {
        using var plain = values.contiguous();
        return MemoryMarshal.Cast<byte, double>(plain.bytes).ToArray();
    }
}
