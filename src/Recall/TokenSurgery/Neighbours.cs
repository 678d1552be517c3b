using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>Rows as weighted sums of the nearest shared rows (common_interpolation).</summary>
static class Neighbours
{
    public static IEnumerable<RowRecipe> Recipes(SharedRows rows, long[] wanted, SurgeryOptions options)
    {
        var shared = rows.Shared;
        int count = (int)Math.Min(options.K, shared.shape[0]);
        var targets = rows.Donor.index_select(0, tensor(wanted));
        // Of the squared distance what depends on the neighbour, halved and negated; for angles the product with neighbours of length 1.
        var squares = shared.mul(shared).sum(1);
        var products = targets.mm(shared.t());
        var scores = options.Cosine ? products.div(squares.sqrt().maximum(tensor(1e-12f))) : products.Minus(squares.Times(0.5));
        var (_, nearest) = scores.topk(count, dim: 1);
        for (int i = 0; i < wanted.Length; i++)
        {
            var indices = nearest.select(0, i).contiguous();
            long[] chosen = SharedRows.Values<long>(indices);
            var neighbours = shared.index_select(0, indices).to_type(ScalarType.Float64);
            float[] weights = NeighbourWeights.Of(targets.select(0, i).to_type(ScalarType.Float64), neighbours, options);
            yield return new RowRecipe([.. chosen.Select(index => rows.BaseRows[(int)index])], weights);
        }
    }
}
