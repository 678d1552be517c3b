using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>
/// Carries rows of the donor to the base by what the shared tokens, the landmarks, have in both (landmark_pca). With X and Y the landmarks' rows in donor
/// and base, less their means μ and ν: y = ν + (x − μ) V Λ⁻¹ Vᵀ Xᵀ Y, where V Λ Vᵀ = Xᵀ X and of its eigenpairs (the principal components of X) those
/// above 1e-10 of the largest count. This is the least-squares map on the principal components (W. Massy, "Principal components regression in exploratory
/// statistical research", JASA 60, 1965); where the spaces are turned, scaled or moved copies of one another it is exact. float64.
/// </summary>
sealed class LandmarkMap
{
    const double Smallest = 1e-10;

    const int Chunk = 4096;

    readonly Tensor _donor, _mean, _baseMean, _map;

    /// <param name="rows">The landmarks.</param>
    public LandmarkMap(SharedRows rows)
    {
        _donor = rows.Donor;
        long width = rows.Shared.shape[1];
        int count = (int)rows.Shared.shape[0];
        var (sum, baseSum) = (zeros([width], ScalarType.Float64), zeros([rows.BaseWidth], ScalarType.Float64));
        Each((x, y) =>
        {
            sum.copy_(sum.Plus(x.sum([0])));
            baseSum.copy_(baseSum.Plus(y.sum([0])));
        });
        using var number = tensor((double)count);
        (_mean, _baseMean) = (sum.div(number), baseSum.div(number));
        var (own, cross) = (zeros([width, width], ScalarType.Float64), zeros([width, rows.BaseWidth], ScalarType.Float64));
        Each((x, y) =>
        {
            var centred = x.Minus(_mean).t();
            own.copy_(own.Plus(centred.mm(x.Minus(_mean))));
            cross.copy_(cross.Plus(centred.mm(y.Minus(_baseMean))));
        });
        var (values, vectors) = linalg.eigh(own);
        double[] variances = SharedRows.Values<double>(values);
        double least = Math.Max(variances[^1], 0) * Smallest;
        using var inverse = tensor(variances.Select(value => value > least ? 1 / value : 0).ToArray());
        _map = vectors.mul(inverse).mm(vectors.t().mm(cross));

        void Each(Action<Tensor, Tensor> add)
        {
            for (int first = 0; first < count; first += Chunk)
            {
                using var inner = NewDisposeScope();
                int part = Math.Min(Chunk, count - first);
                add(rows.Shared.narrow(0, first, part).to_type(ScalarType.Float64), rows.OfBase(first, part));
            }
        }
    }

    /// <summary>The donor's rows, carried over.</summary>
    public IEnumerable<RowRecipe> Recipes(long[] wanted)
    {
        var carried = _donor.index_select(0, tensor(wanted)).to_type(ScalarType.Float64).Minus(_mean).mm(_map).Plus(_baseMean);
        foreach (float[] row in SharedRows.Values<float>(carried.to_type(ScalarType.Float32)).Chunk((int)_baseMean.shape[0]))
            yield return RowRecipe.Zero with { Offset = row };
    }
}
