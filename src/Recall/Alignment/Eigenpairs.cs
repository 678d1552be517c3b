using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>The largest eigenpairs of a symmetric matrix.</summary>
static class Eigenpairs
{
    /// <summary>
    /// Above this size, and for few pairs, a subspace iteration takes the place of the whole decomposition, whose cost grows with the cube.
    /// </summary>
    const int Whole = 512;

    const int Iterations = 10;

    /// <summary>Largest first: values [rank], vectors [n, rank]. On one thread: LAPACK's last bits depend on their number.</summary>
    /// <param name="matrix">[n, n].</param>
    /// <param name="rank">How many.</param>
    /// <param name="cancellation">Stops between the rounds of a subspace iteration.</param>
    public static (Tensor Values, Tensor Vectors) Largest(Tensor matrix, int rank, CancellationToken cancellation = default) =>
        TorchThreads.Alone(() => Decompose(matrix, rank, cancellation));

    static (Tensor Values, Tensor Vectors) Decompose(Tensor matrix, int rank, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        int size = (int)matrix.shape[0], width = Math.Min(2 * rank + 16, size);
        if (size <= Whole || width > size / 4)
        {
            var (values, vectors) = linalg.eigh(matrix);
            return (Last(values, 0, rank).MoveToOuterDisposeScope(), Last(vectors, 1, rank).MoveToOuterDisposeScope());
        }
        // Subspace iteration (Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4): the start is the columns of largest diagonal, which is
        // the same on every machine; the spectra of layer inputs fall fast, so that ten rounds give what float32 holds.
        using var order = matrix.diagonal().argsort(descending: true);
        var basis = matrix.index_select(1, order.narrow(0, 0, width)).contiguous();
        for (int i = 0; i < Iterations; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var round = NewDisposeScope();
            var (orthogonal, _) = linalg.qr(basis);
            var next = matrix.mm(orthogonal).MoveToOuterDisposeScope();
            basis = next;
        }
        var (q, _) = linalg.qr(basis);
        var (small, rotation) = linalg.eigh(q.t().mm(matrix).mm(q));
        return (Last(small, 0, rank).MoveToOuterDisposeScope(), q.mm(Last(rotation, 1, rank)).MoveToOuterDisposeScope());
    }

    /// <summary>The multiplications that it takes, about.</summary>
    public static double Products(double size, int rank)
    {
        double width = Math.Min(2.0 * rank + 16, size);
        return size <= Whole || width > size / 4 ? 5 * size * size * size : (Iterations + 1) * size * width * (size + 2 * width);
    }

    static Tensor Last(Tensor ascending, int dimension, int count) =>
        ascending.narrow(dimension, ascending.shape[dimension] - count, count).flip(dimension).contiguous();
}
