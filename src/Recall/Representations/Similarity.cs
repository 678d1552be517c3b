using Recall.Configuration;

namespace Recall.Representations;

/// <summary>
/// How alike the representations of two models are, layer by layer (arXiv 2510.20479): 1 for equal ones, 0 for unlike ones.
/// </summary>
public static class Similarity
{
    /// <summary>
    /// Gaussian of the distance, mean over the m samples: S = 1/m Σ_j exp(−‖r(x_j) − r_N(x_j)‖² / (2σ²)).
    /// </summary>
    /// <param name="model">[m, hidden].</param>
    /// <param name="reference">[m, hidden], of the reference model.</param>
    /// <param name="bandwidth">σ, above 0.</param>
    public static double Rbf(PooledStates model, PooledStates reference, double bandwidth)
    {
        double sum = 0;
        for (int j = 0; j < reference.Count; j++)
            sum += Math.Exp(-PooledStates.SquaredDistance(model[j], reference[j]) / bandwidth / bandwidth / 2);
        return sum / reference.Count;
    }

    /// <summary>
    /// The median over pairs of samples j &lt; j' of ‖r_N(x_j) − r_N(x_j')‖, the mean of the two middle ones where they are even in number:
    /// a shift between models counts as large when it is as large as the distance between different texts. 0 for a single sample.
    /// </summary>
    public static double MedianDistance(PooledStates reference)
    {
        int m = reference.Count;
        if (m < 2) return 0;
        var distances = new double[checked(m * (m - 1) / 2)];
        int n = 0;
        for (int j = 0; j < m; j++)
            for (int other = j + 1; other < m; other++)
                distances[n++] = Math.Sqrt(PooledStates.SquaredDistance(reference[j], reference[other]));
        Array.Sort(distances);
        return n % 2 == 1 ? distances[n / 2] : (distances[n / 2 - 1] + distances[n / 2]) / 2;
    }

    /// <summary>Cosine, mean over samples, at least 0. Two zero vectors count as alike, one as unlike.</summary>
    public static double Cosine(PooledStates model, PooledStates reference)
    {
        double sum = 0;
        for (int j = 0; j < reference.Count; j++)
        {
            double a = Dot(model[j], model[j]), b = Dot(reference[j], reference[j]);
            sum += a > 0 && b > 0 ? Dot(model[j], reference[j]) / (Math.Sqrt(a) * Math.Sqrt(b)) : a == b ? 1 : 0;
        }
        return Math.Max(0, sum / reference.Count);
    }

    /// <summary>
    /// Linear centred kernel alignment (arXiv 1905.00414): ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖), Frobenius norms, columns centred; computed from the
    /// Gram matrices
    /// of the samples: ‖XᵀY‖² = ⟨XXᵀ, YYᵀ⟩. NaN where the samples of either are all alike.
    /// </summary>
    public static double Cka(PooledStates model, PooledStates reference)
    {
        double[] x = CentredGram(model), y = CentredGram(reference);
        return Dot(x, y) / (Math.Sqrt(Dot(x, x)) * Math.Sqrt(Dot(y, y)));
    }

    /// <summary>One number a model, and the bandwidth where the kind has one.</summary>
    /// <param name="layer">0 for the embedding's output; for messages.</param>
    /// <param name="models">Each [m, hidden].</param>
    /// <param name="reference">The reference model's place among them.</param>
    /// <param name="options">Kind and bandwidth.</param>
    /// <exception cref="RecallException">The samples are too few or too much alike for this kind.</exception>
    internal static (double? Bandwidth, double[] Values) Of(
        int layer, IReadOnlyList<PooledStates> models, int reference, RecallOptions options)
    {
        var newest = models[reference];
        switch (options.Similarity)
        {
            case SimilarityKind.Rbf:
                double bandwidth = options.Bandwidth ?? MedianDistance(newest);
                if (bandwidth == 0)
                    throw NoDistance(layer, newest.Count, "the bandwidth 'median' has no distance to take; give a number, such as 'bandwidth: 10'");
                return (bandwidth, [.. models.Select(model => Rbf(model, newest, bandwidth))]);
            case SimilarityKind.Cosine:
                return (null, [.. models.Select(model => Cosine(model, newest))]);
            default:
                var values = models.Select(model => Cka(model, newest)).ToArray();
                if (values.Any(double.IsNaN))
                {
                    throw NoDistance(layer, newest.Count,
                        "cka has nothing to compare; take 'similarity: rbf' with a number as bandwidth, or 'cosine'");
                }
                return (null, values);
        }
    }

    static RecallException NoDistance(int layer, int samples, string so)
    {
        string what = samples == 1 ? "there is one typical sample only" : $"the {samples} typical samples are alike, or most of them,";
        string place = layer == 0 ? "0 (the embedding's output)" : $"{layer}";
        return new RecallException($"recall: {what} at layer {place}, so {so}; or give more and different texts");
    }

    static double[] CentredGram(PooledStates states)
    {
        int m = states.Count;
        var centred = new PooledStates(m, states.Size);
        for (int i = 0; i < states.Size; i++)
        {
            double mean = 0;
            for (int j = 0; j < m; j++) mean += states[j][i];
            mean /= m;
            for (int j = 0; j < m; j++) centred[j][i] = states[j][i] - mean;
        }
        var gram = new double[m * m];
        // What is left of equal rows after the mean is rounding, and rounding is no direction.
        if (Dot(centred.Values, centred.Values) <= 1e-24 * Dot(states.Values, states.Values)) return gram;
        for (int j = 0; j < m; j++)
            for (int other = 0; other < m; other++) gram[j * m + other] = Dot(centred[j], centred[other]);
        return gram;
    }

    static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
