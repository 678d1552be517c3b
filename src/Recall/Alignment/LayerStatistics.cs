using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Statistics of what a step's layers read at the tokens of one expert's texts. Products of a batch of tokens in float32 (small layers: in
/// double precision), sums over batches in double precision.
/// </summary>
/// <param name="tokens">The tokens.</param>
/// <param name="inputs">What the layers read, batch by batch: [B, T, in].</param>
/// <param name="weights">The weight of each real token, batch by batch.</param>
sealed class LayerStatistics(TokenSelection tokens, IReadOnlyList<Tensor> inputs, double[][] weights)
{
    /// <summary>Layers of no more inputs are multiplied in double precision, which costs nothing there.</summary>
    const int Small = 256;

    int Size => (int)inputs[0].shape[^1];

    /// <summary>Number of tokens.</summary>
    public int Count => tokens.Count;

    /// <summary>G = Σ w xᵀx, as a matrix, or as the tokens themselves where they are to be few.</summary>
    public SecondMoment Moment(bool asTokens) => asTokens ? Tokens() : Matrix();

    SecondMoment Tokens()
    {
        using var scope = NewDisposeScope();
        var rows = inputs.Select((input, batch) => Weighted(batch, input, ScalarType.Float64)).ToArray();
        return new SecondMoment(Size) { Factor = cat(rows, 0).MoveToOuterDisposeScope() };
    }

    SecondMoment Matrix()
    {
        using var scope = NewDisposeScope();
        var sum = zeros([Size, Size], ScalarType.Float64);
        for (int batch = 0; batch < inputs.Count; batch++)
        {
            using var inner = NewDisposeScope();
            var rows = Weighted(batch, inputs[batch], Size <= Small ? ScalarType.Float64 : ScalarType.Float32);
            // Of a symmetric product the upper half, and a little more.
            TorchThreads.Ranges(Size, (first, count) =>
            {
                var (left, right) = (rows.narrow(1, first, count), rows.narrow(1, first, Size - first));
                sum.narrow(0, first, count).narrow(1, first, Size - first).AddIn(left.t().mm(right));
            });
        }
        Cholesky.Mirror(sum);
        return new SecondMoment(Size) { Matrix = sum.MoveToOuterDisposeScope() };
    }

    /// <summary>Adds Σ w yᵀx of a batch to a sum [out, in]: y are other values at the same tokens, [B, T, out].</summary>
    public void AddCross(int batch, Tensor others, Tensor sum)
    {
        using var scope = NewDisposeScope();
        var type = Size <= Small ? ScalarType.Float64 : ScalarType.Float32;
        sum.AddIn(Weighted(batch, others, type).t().Product(Weighted(batch, inputs[batch], type)));
    }

    /// <summary>Rows of real tokens times the roots of their weights: [tokens, n].</summary>
    Tensor Weighted(int batch, Tensor values, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var roots = tensor(weights[batch].Select(Math.Sqrt).ToArray()).unsqueeze(1).to_type(type);
        return (tokens.Rows(batch, values).to_type(type) * roots).MoveToOuterDisposeScope();
    }
}
