using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Alignment;

/// <summary>
/// How a card lies in <c>card.safetensors</c>. For each input <c>layers.0.attention.in</c> … of n values: <c>.scalars</c> [trace, ridge]
/// double; of a card of rank R <c>.values</c> [r] the largest eigenvalues, <c>.vectors</c> [r, n] their eigenvectors in float16, r = min(R,
/// n), and <c>.diagonal</c> [n] what of the diagonal they miss; of a full card <c>.moment</c> [n, n]. <c>model_sha256</c> and
/// <c>samples_sha256</c> [32] bytes. Numbers of experts, the weight of answers, the demand and the rank stand in the metadata. Nothing else,
/// no text.
/// </summary>
static class CardLayout
{
    /// <summary>The value of the metadata key <c>format</c>.</summary>
    public const string Format = "recall-card-1";

    /// <summary>
    /// The metadata key of an expert's demand: a number, or <see cref="Weighed"/> for a merged model whose experts are weighed in it; may be missing.
    /// </summary>
    public const string Demand = "demand", Weighed = "weighed";

    public const string ModelTensor = "model_sha256", SamplesTensor = "samples_sha256", TokensTensor = "tokens";

    public const string Scalars = ".scalars", Values = ".values", Vectors = ".vectors", Diagonal = ".diagonal", Moment = ".moment";

    /// <summary>The tensors of a card, wider types first.</summary>
    public static IReadOnlyList<(string Name, DType Type, Shape Shape)> Tensors(IEnumerable<(string Name, int Size)> inputs, int? rank)
    {
        var tensors = new List<(string, DType Type, Shape)>();
        foreach (var (name, size) in inputs)
        {
            tensors.Add((name + Scalars, DType.F64, new Shape(2)));
            if (rank is not { } kept)
            {
                tensors.Add((name + Moment, DType.F32, new Shape(size, size)));
                continue;
            }
            int own = Math.Min(kept, size);
            tensors.Add((name + Values, DType.F32, new Shape(own)));
            tensors.Add((name + Vectors, DType.F16, new Shape(own, size)));
            tensors.Add((name + Diagonal, DType.F32, new Shape(size)));
        }
        tensors.Add((TokensTensor, DType.I64, new Shape(1)));
        tensors.Add((ModelTensor, DType.U8, new Shape(32)));
        tensors.Add((SamplesTensor, DType.U8, new Shape(32)));
        return [.. tensors.OrderByDescending(tensor => tensor.Type.Size())];
    }
}
