using Recall.Methods;

namespace Recall.Tests.Methods;

/// <summary>Every method from its formula, in float64, whole tensors at once, with sorts: slow and plain.</summary>
static class MethodReference
{
    public static double[] Merge(MethodRun run)
    {
        var inputs = run.Inputs;
        var x = run.Values.Select(values => values.Select(value => (double)value).ToArray()).ToArray();
        int[] others = [.. inputs.Others];
        var b = inputs.BaseIndex >= 0 ? x[inputs.BaseIndex] : null;
        var deltas = others.Select(i => b is null ? x[i] : Minus(x[i], b)).ToArray();
        var weights = inputs.PerModel.TryGetValue("weight", out var each) ? others.Select(i => each[i]).ToArray() : [];
        return run.Method.Name switch
        {
            "passthrough" => Times(x[0], inputs.PerModel["scale"][0]),
            "linear" => Times(Sum(x, weights), inputs.Flag("normalize") ? 1 / weights.Sum() : 1),
            "slerp" => Slerp(b!, x[1 - inputs.BaseIndex], inputs.Values["t"]),
            "nuslerp" => Plus(b, NuSlerp(inputs, deltas, weights[1] / (weights[0] + weights[1]))),
            "multislerp" => Plus(b, MultiSlerp(deltas, weights, inputs.Flag("normalize_weights"), inputs.Values["eps"])),
            "karcher" => Karcher(x, (int)inputs.Values["max_iter"], inputs.Values["tol"]),
            "model_stock" => ModelStock(inputs, b!, deltas),
            "nearswap" => [.. b!.Zip(x[1 - inputs.BaseIndex], (from, to) => Near(from, to, inputs.Values["t"]))],
            "sce" => Plus(b, Sce(deltas, inputs.Values["select_topk"])),
            "ram" => Plus(b, Ram(deltas, inputs.Values["epsilon"], [.. deltas.Select(_ => 1.0)])),
            "ramplus_tl" => Plus(b, Ram(deltas, inputs.Values["epsilon"], RamFactors(deltas, inputs))),
            "arcee_fusion" => Plus(b, Arcee(b!, x[1 - inputs.BaseIndex], (int)inputs.Shape.RowLength)),
            var name => TaskVectorReference.Merge(name, inputs, x),
        };
    }

    static double[] Slerp(double[] v0, double[] v1, double t)
    {
        double length0 = Length(v0), length1 = Length(v1), cosine = Dot(v0, v1) / (length0 > 1e-8 ? length0 : 1) / (length1 > 1e-8 ? length1 : 1);
        if (Math.Abs(cosine) > 0.9995) return Sum([v0, v1], [1 - t, t]);
        double angle = Math.Acos(cosine);
        return Sum([v0, v1], [Math.Sin(angle * (1 - t)) / Math.Sin(angle), Math.Sin(angle * t) / Math.Sin(angle)]);
    }

    static double[] NuSlerp(TensorInputs inputs, double[][] v, double t)
    {
        int n = v[0].Length, rows = inputs.Shape.Rank < 2 ? 1 : (int)inputs.Shape[0];
        int row = (int)inputs.Shape.RowLength;
        if (inputs.Flag("nuslerp_flatten") || inputs.Shape.Rank < 2) return Each(v, t, [.. Enumerable.Range(0, n)]);
        var y = new double[n];
        var groups = inputs.Flag("nuslerp_row_wise") ? Enumerable.Range(0, n).GroupBy(i => i % (n / rows)) : Enumerable.Range(0, n).GroupBy(i => i / row);
        foreach (var group in groups)
        {
            int[] at = [.. group];
            var part = Each(v, t, at);
            for (int i = 0; i < at.Length; i++) y[at[i]] = part[i];
        }
        return y;

        static double[] Each(double[][] v, double t, int[] at)
        {
            double[] v0 = [.. at.Select(i => v[0][i])], v1 = [.. at.Select(i => v[1][i])];
            double cosine = Math.Clamp(Dot(v0, v1) / Math.Max(Length(v0), 1e-7) / Math.Max(Length(v1), 1e-7), -1, 1), angle = Math.Acos(cosine), sine = Math.Sin(angle);
            return Math.Abs(sine) < 1e-8 ? Sum([v0, v1], [1 - t, t]) : Sum([v0, v1], [Math.Sin((1 - t) * angle) / sine, Math.Sin(t * angle) / sine]);
        }
    }

    static double[] MultiSlerp(double[][] v, double[] weights, bool normalize, double eps)
    {
        if (normalize) weights = Times(weights, 1 / weights.Sum());
        var directions = v.Select(each => Times(each, 1 / (Length(each) + eps))).ToArray();
        var mean = Sum(directions, weights);
        if (Length(mean) < eps) return Sum(v, weights);
        mean = Times(mean, 1 / Length(mean));
        var tangent = Sum([.. directions.Select(u => Minus(u, Times(mean, Dot(u, mean))))], weights);
        double length = Length(tangent) + eps;
        return Times(Sum([mean, tangent], [Math.Cos(length), Math.Sin(length) / length]), v.Zip(weights, (each, weight) => weight * Length(each)).Sum());
    }

    static double[] Karcher(double[][] v, int iterations, double tolerance)
    {
        var valid = v.Where(each => Length(each) > tolerance).Select(each => Times(each, 1 / Length(each))).ToArray();
        if (valid.Length == 0) return new double[v[0].Length];
        var equal = Enumerable.Repeat(1.0 / valid.Length, valid.Length).ToArray();
        var mean = Sum(valid, equal);
        mean = Length(mean) < tolerance ? valid[0] : Times(mean, 1 / Length(mean));
        for (int iteration = 0; iteration < iterations; iteration++)
        {
            var tangent = new double[mean.Length];
            foreach (var u in valid)
            {
                double cosine = Math.Clamp(Dot(u, mean), -1, 1), angle = Math.Acos(cosine);
                if (angle >= tolerance) tangent = Sum([tangent, u, mean], [1, angle / Math.Sin(angle) / valid.Length, -angle / Math.Sin(angle) / valid.Length * cosine]);
            }
            double length = Length(tangent);
            if (length < tolerance) break;
            mean = Sum([mean, tangent], [Math.Cos(length), Math.Sin(length) / length]);
            mean = Times(mean, 1 / Length(mean));
        }
        return Times(mean, v.Average(Length));
    }

    static double[] ModelStock(TensorInputs inputs, double[] b, double[][] deltas)
    {
        int row = inputs.Flag("filter_wise") ? (int)inputs.Shape.RowLength : b.Length;
        var y = new double[b.Length];
        for (int first = 0; first < b.Length; first += row)
        {
            var parts = deltas.Select(delta => delta[first..(first + row)]).ToArray();
            var cosines = from i in Enumerable.Range(0, parts.Length)
                          from j in Enumerable.Range(0, i)
                          select Math.Clamp(Dot(parts[i], parts[j]) / Math.Max(Length(parts[i]) * Length(parts[j]), 1e-6), -1, 1);
            double c = cosines.Average(), share = parts.Length * c / (1 + (parts.Length - 1) * c);
            for (int i = 0; i < row; i++) y[first + i] = share * parts.Average(part => part[i] + b[first + i]) + (1 - share) * b[first + i];
        }
        return y;
    }

    static double Near(double from, double to, double t)
    {
        double share = Math.Clamp(t / Math.Max(Math.Abs(from - to), 1e-6), 0, 1);
        return share * to + (1 - share) * from;
    }

    static double[] Sce(double[][] deltas, double topk)
    {
        int n = deltas[0].Length;
        if (topk < 1)
        {
            var variances = Enumerable.Range(0, n).Select(e => deltas.Average(delta => delta[e]) is var mean ? (float)deltas.Average(delta => (delta[e] - mean) * (delta[e] - mean)) : 0).ToArray();
            var kept = Enumerable.Range(0, n).OrderByDescending(e => variances[e]).Take((int)(variances.Count(variance => variance != 0) * topk)).ToHashSet();
            deltas = [.. deltas.Select(delta => delta.Select((value, e) => kept.Contains(e) ? value : 0).ToArray())];
        }
        var squares = deltas.Select(delta => Dot(delta, delta) / n).ToArray();
        var weights = squares.Sum() < 1e-6 ? [.. squares.Select(_ => 1.0 / squares.Length)] : Times(squares, 1 / squares.Sum());
        var y = new double[n];
        for (int e = 0; e < n; e++)
        {
            double sign = deltas.Sum(delta => delta[e]) >= 0 ? 1 : -1, sum = 0, divisor = 0;
            for (int m = 0; m < deltas.Length; m++)
            {
                if (Math.Sign(deltas[m][e]) != sign) continue;
                sum += weights[m] * deltas[m][e];
                divisor += weights[m];
            }
            y[e] = sum / Math.Max(divisor, 1e-6);
        }
        return y;
    }

    static double[] Ram(double[][] deltas, double epsilon, double[] factors)
    {
        var y = new double[deltas[0].Length];
        for (int e = 0; e < y.Length; e++)
        {
            int[] active = [.. Enumerable.Range(0, deltas.Length).Where(m => Math.Abs(deltas[m][e]) > (float)epsilon)];
            y[e] = active.Length == 0 ? 0 : active.Length == 1 ? factors[active[0]] * deltas[active[0]][e] : active.Average(m => deltas[m][e]);
        }
        return y;
    }

    static double[] RamFactors(double[][] deltas, TensorInputs inputs)
    {
        double epsilon = inputs.Values["epsilon"];
        var counts = Enumerable.Range(0, deltas[0].Length).Select(e => deltas.Count(delta => Math.Abs(delta[e]) > (float)epsilon)).ToArray();
        return [.. deltas.Select(delta =>
        {
            double unique = delta.Where((value, e) => Math.Abs(value) > (float)epsilon && counts[e] == 1).Count();
            double shared = delta.Where((value, e) => Math.Abs(value) > (float)epsilon && counts[e] > 1).Count();
            return 1 + inputs.Values["r"] * Math.Clamp(shared / Math.Max(unique, epsilon), 0, inputs.Values["alpha"]);
        })];
    }

    static double[] Arcee(double[] b, double[] x, int row)
    {
        var importance = new double[b.Length];
        for (int first = 0; first < b.Length; first += row)
        {
            double[] p = Softmax(x[first..(first + row)]), q = Softmax(b[first..(first + row)]);
            float divergence = (float)p.Zip(q, (one, other) => one * Math.Log(one / other)).Sum();
            for (int i = 0; i < row; i++) importance[first + i] = (float)Math.Abs(x[first + i] - b[first + i]) * divergence;
        }
        double[] sorted = [.. importance.Order()];
        double Quantile(double share) => sorted[(int)(share * (sorted.Length - 1))];
        double threshold = Quantile(0.5) + 1.5 * (Quantile(0.75) - Quantile(0.25));
        return [.. importance.Select((each, i) => each >= threshold ? x[i] - b[i] : 0)];
    }

    static double[] Softmax(double[] x)
    {
        double largest = x.Max();
        var exponentials = x.Select(value => Math.Exp(value - largest)).ToArray();
        double sum = exponentials.Sum();
        return [.. exponentials.Select(each => each / sum + 1e-8)];
    }

    static double Dot(double[] x, double[] y) => x.Zip(y, (one, other) => one * other).Sum();

    static double Length(double[] x) => Math.Sqrt(Dot(x, x));

    static double[] Times(double[] x, double a) => [.. x.Select(value => a * value)];

    static double[] Minus(double[] x, double[] y) => [.. x.Zip(y, (one, other) => one - other)];

    static double[] Plus(double[]? b, double[] x) => b is null ? x : [.. b.Zip(x, (one, other) => one + other)];

    static double[] Sum(double[][] x, double[] factors) =>
        [.. Enumerable.Range(0, x[0].Length).Select(e => Enumerable.Range(0, x.Length).Sum(m => factors[m] * x[m][e]))];
}
