using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>A product of two factors, cut to a rank.</summary>
/// <param name="Left">[out, rank].</param>
/// <param name="Right">[rank, in].</param>
/// <param name="Lost">1 − ‖kept‖²/‖whole‖².</param>
sealed record LowRankCut(Tensor Left, Tensor Right, double Lost)
{
    /// <summary>L·R by QR of both and the SVD of the small core.</summary>
    public static LowRankCut OfFactors(Tensor left, Tensor right, int rank) => TorchThreads.Alone(() => Cut(left, right, rank));

    static LowRankCut Cut(Tensor left, Tensor right, int rank)
    {
        using var scope = NewDisposeScope();
        var (q, r) = linalg.qr(left);
        var (p, s) = linalg.qr(right.t());
        var (u, values, vh) = linalg.svd(r.mm(s.t()), fullMatrices: false);
        int kept = (int)Math.Min(rank, values.shape[0]);
        double all = values.Squared().sum().item<double>(), held = values.narrow(0, 0, kept).Squared().sum().item<double>();
        var roots = values.narrow(0, 0, kept).sqrt();
        return new LowRankCut(
            (q.mm(u.narrow(1, 0, kept)) * roots).MoveToOuterDisposeScope(),
            (roots.unsqueeze(1) * vh.narrow(0, 0, kept).mm(p.t())).MoveToOuterDisposeScope(), all > 0 ? Math.Max(0, 1 - held / all) : 0);
    }

    /// <summary>The largest singular triples of a matrix, through the eigenpairs of the smaller of its two Gram matrices.</summary>
    public static LowRankCut OfMatrix(Tensor matrix, int rank)
    {
        using var scope = NewDisposeScope();
        bool tall = matrix.shape[0] > matrix.shape[1];
        int kept = (int)Math.Min(rank, Math.Min(matrix.shape[0], matrix.shape[1]));
        var (values, vectors) = Eigenpairs.Largest(tall ? matrix.t().Product(matrix) : matrix.Product(matrix.t()), kept);
        double all = TorchThreads.Total(matrix.Squared()), held = TorchThreads.Total(values.AtLeastZero());
        var (left, right) = tall ? (matrix.Product(vectors), vectors.t()) : (vectors, vectors.t().Product(matrix));
        return new LowRankCut(left.MoveToOuterDisposeScope(), right.contiguous().MoveToOuterDisposeScope(), all > 0
            ? Math.Clamp(1 - held / all, 0, 1) : 0);
    }
}
