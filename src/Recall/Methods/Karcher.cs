using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// Karcher mean: the direction u on the sphere whose geodesic distances to those of all models are least, times the mean of their norms;
/// all models count the same, a base among them too. From the normalised mean of the directions u_i, u moves along the mean tangent
/// T = mean of (θ_i / sin θ_i) (u_i − u cos θ_i), θ_i the angle between u and u_i, until ‖T‖ is below <c>tol</c> or <c>max_iter</c> is reached
/// (Karcher 1977). Every iterate is a combination of the models, so that the iteration runs on coefficients and the models' dot products.
/// Tensors no longer than <c>tol</c> have no direction.
/// </summary>
public sealed class Karcher : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "karcher";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Karcher Mean", "https://en.wikipedia.org/wiki/Karcher_mean");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("max_iter", 10, Whole: true), new("tol", 1e-5)];

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs)
    {
        if (inputs.Count == 1) return new CopyMerge(0);
        return new GramMerge(-1, [.. Enumerable.Range(0, inputs.Count)], 0, gram => Mean(gram, (long)inputs.Values["max_iter"], inputs.Values["tol"]));
    }

    static double[] Mean(Gram gram, long iterations, double tolerance)
    {
        int[] valid = [.. Enumerable.Range(0, gram.Count).Where(i => gram.Length(i) > tolerance)];
        var mean = new double[gram.Count];
        if (valid.Length == 0) return mean;
        foreach (int i in valid) mean[i] = 1.0 / valid.Length / gram.Length(i);
        double length = Length(gram, mean);
        if (length < tolerance)
        {
            Array.Clear(mean);
            mean[valid[0]] = 1 / gram.Length(valid[0]);
        }
        else
        {
            Scale(mean, 1 / length);
        }
        for (long iteration = 0; iteration < iterations; iteration++)
            if (!Step(gram, valid, tolerance, mean)) break;
        Scale(mean, Enumerable.Range(0, gram.Count).Sum(gram.Length) / gram.Count);
        return mean;
    }

    static bool Step(Gram gram, int[] valid, double tolerance, double[] mean)
    {
        var tangent = new double[mean.Length];
        var direction = new double[mean.Length];
        foreach (int i in valid)
        {
            direction[i] = 1 / gram.Length(i);
            double cosine = Math.Clamp(gram.Dot(mean, direction), -1, 1), angle = Math.Acos(cosine);
            if (angle >= tolerance)
            {
                double factor = angle / Math.Sin(angle) / valid.Length;
                for (int j = 0; j < mean.Length; j++) tangent[j] += factor * (direction[j] - cosine * mean[j]);
            }
            direction[i] = 0;
        }
        double length = Length(gram, tangent);
        if (!(length >= tolerance)) return false;
        double along = Math.Cos(length), across = Math.Sin(length) / length;
        for (int j = 0; j < mean.Length; j++) mean[j] = along * mean[j] + across * tangent[j];
        double norm = Length(gram, mean);
        if (norm > tolerance) Scale(mean, 1 / norm);
        return true;
    }

    static double Length(Gram gram, double[] combination) => Math.Sqrt(Math.Max(gram.Dot(combination, combination), 0));

    static void Scale(double[] combination, double factor)
    {
        for (int i = 0; i < combination.Length; i++) combination[i] *= factor;
    }
}
