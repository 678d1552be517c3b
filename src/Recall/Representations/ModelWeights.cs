using System.Collections.Immutable;
using Recall.Configuration;

namespace Recall.Representations;

/// <summary>How much of each model goes into one layer.</summary>
/// <param name="Layer">0 for the embedding, l for block l − 1 counted from 0.</param>
/// <param name="Bandwidth">σ of the Gaussian; null for cosine and cka.</param>
/// <param name="Similarity">S_i of each model to the reference model.</param>
/// <param name="Weights">w_i of each model; they sum to 1.</param>
public sealed record ModelWeights(int Layer, double? Bandwidth, ImmutableArray<double> Similarity, ImmutableArray<double> Weights)
{
    /// <summary>From the representations of one layer: w_i = softmax over i of S_i / T (arXiv 2510.20479).</summary>
    /// <param name="layer">0 for the embedding's output, l for the output of block l − 1 counted from 0.</param>
    /// <param name="representations">Of the typical samples in each model, each [samples, hidden].</param>
    /// <param name="models">The models' names, for messages.</param>
    /// <param name="reference">The reference model's place among them.</param>
    /// <param name="options">Similarity, bandwidth and temperature.</param>
    /// <exception cref="RecallException">Values that are not finite, or samples that are too much alike.</exception>
    public static ModelWeights Of(
        int layer, IReadOnlyList<PooledStates> representations, IReadOnlyList<string> models, int reference, RecallOptions options)
    {
        for (int i = 0; i < representations.Count; i++) representations[i].RequireFinite(models[i], layer);
        var (bandwidth, similarity) = Representations.Similarity.Of(layer, representations, reference, options);
        return new ModelWeights(layer, bandwidth, [.. similarity], [.. Softmax(similarity, options.Temperature)]);
    }

    /// <summary>exp(S_i / T − max) / Σ_k exp(S_k / T − max).</summary>
    public static double[] Softmax(ReadOnlySpan<double> similarity, double temperature)
    {
        var weights = new double[similarity.Length];
        double largest = double.NegativeInfinity, sum = 0;
        foreach (double value in similarity) largest = Math.Max(largest, value);
        for (int i = 0; i < weights.Length; i++) sum += weights[i] = Math.Exp((similarity[i] - largest) / temperature);
        for (int i = 0; i < weights.Length; i++) weights[i] /= sum;
        return weights;
    }
}
