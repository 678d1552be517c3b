using Recall.Methods;
using Recall.Numerics;

namespace Recall.Tests.Methods;

/// <summary>The task-vector methods from their formulas, in float64, whole tensors at once, with sorts.</summary>
static class TaskVectorReference
{
    public static double[] Merge(string method, TensorInputs inputs, double[][] x)
    {
        var b = x[inputs.BaseIndex];
        int[] others = [.. inputs.Others];
        bool elects = method is "ties" or "dare_ties" or "breadcrumbs_ties" or "della", normalize = inputs.Flag("normalize");
        var weights = others.Select(i => inputs.PerModel["weight"][i]).ToArray();
        var vectors = others.Select(i => Sparse(method, inputs, i, x[i].Zip(b, (to, from) => (double)(float)(to - from)).ToArray())).ToArray();
        var y = new double[b.Length];
        double total = weights.Sum();
        for (int e = 0; e < y.Length; e++)
        {
            double sum = 0, divisor = 0;
            var scaled = vectors.Select((vector, m) => weights[m] * vector[e]).ToArray();
            if (elects)
            {
                double sign = scaled.Sum() >= 0 ? 1 : -1;
                for (int m = 0; m < scaled.Length; m++)
                {
                    if (Math.Sign(scaled[m]) != sign) continue;
                    sum += scaled[m];
                    divisor += weights[m];
                }
                if (divisor == 0) divisor = 1;
            }
            else
            {
                sum = scaled.Sum();
                divisor = Math.Abs(total) < 1e-8 ? 1 : total;
            }
            y[e] = b[e] + inputs.Values["lambda"] * (normalize ? sum / divisor : sum);
        }
        return y;
    }

    static double[] Sparse(string method, TensorInputs inputs, int model, double[] delta)
    {
        double density = inputs.PerModel.TryGetValue("density", out var densities) ? densities[model] : 1;
        if (density >= 1) return delta;
        var random = new CounterRandom(inputs.Seed, inputs.Name, inputs.Models[model]);
        bool[] kept = method switch
        {
            "ties" => Largest(delta, density == 0 ? 0 : Math.Max(1, (int)(density * delta.Length))),
            "breadcrumbs" or "breadcrumbs_ties" => Middle(delta, (int)(density * delta.Length), (int)(inputs.PerModel["gamma"][model] * delta.Length)),
            "dare_linear" or "dare_ties" => Below(random, density, delta.Length),
            _ => MagPrune(delta, (int)inputs.Shape.RowLength, density, inputs.PerModel["epsilon"][model], random),
        };
        var sparse = delta.Select((value, i) => kept[i] ? value : 0).ToArray();
        double before = delta.Sum(Math.Abs), after = sparse.Sum(Math.Abs);
        return inputs.Flag("rescale") && before >= 1e-7 && after >= 1e-7 ? [.. sparse.Select(value => value * (before / after))] : sparse;
    }

    static bool[] Largest(double[] delta, int count)
    {
        var kept = new bool[delta.Length];
        foreach (int i in Enumerable.Range(0, delta.Length).OrderByDescending(i => Math.Abs(delta[i])).Take(count)) kept[i] = true;
        return kept;
    }

    static bool[] Middle(double[] delta, int count, int top)
    {
        int bottom = delta.Length - count - top;
        if (bottom < 0) (top, bottom) = (top + bottom, 0);
        var kept = new bool[delta.Length];
        foreach (int i in Enumerable.Range(0, delta.Length).OrderBy(i => Math.Abs(delta[i])).Skip(bottom).Take(delta.Length - top - bottom)) kept[i] = true;
        return kept;
    }

    static bool[] Below(CounterRandom random, double probability, int count)
    {
        var bits = new ulong[(count + 63) / 64];
        random.Keep(0, probability, bits);
        return [.. Enumerable.Range(0, count).Select(i => (bits[i / 64] >> i % 64 & 1) != 0)];
    }

    // Larger than another element of the row, which a number of its own chooses: of equal ones the first is the smaller.
    static bool[] MagPrune(double[] delta, int row, double density, double epsilon, CounterRandom random)
    {
        if (density <= 0 || row == 1) return Below(random, density, delta.Length);
        bool[] kept = Below(random, density - epsilon, delta.Length), possible = Below(random, density + epsilon, delta.Length);
        var number = new int[1];
        for (int i = 0; i < delta.Length; i++)
        {
            if (kept[i] || !possible[i]) continue;
            random.Numbers(0, [i], row - 1, number);
            int own = i % row, other = number[0] >= own ? number[0] + 1 : number[0];
            double difference = Math.Abs(delta[i]) - Math.Abs(delta[i - own + other]);
            kept[i] = difference > 0 || (difference == 0 && own > other);
        }
        return kept;
    }
}
