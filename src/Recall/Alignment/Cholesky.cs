using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Cholesky factorisation in the matrix's own memory, for matrices of which a second one would be too much: block by block, products and
/// solves by the library. L takes the lower triangle; above the diagonal the matrix stays what it was, so that it can be had back.
/// Golub and Van Loan, Matrix Computations, algorithm 4.2.2 by block columns. Double precision.
/// </summary>
static class Cholesky
{
    /// <summary>Columns of a block: so wide that nearly all is done in products.</summary>
    const int Block = 512;

    /// <summary>Rows that are updated at a time: the memory that it takes beside the matrix.</summary>
    const int Rows = 4 * Block;

    /// <summary>A = LLᵀ.</summary>
    /// <param name="matrix">A, symmetric: [n, n], contiguous; on return L stands in its lower triangle.</param>
    /// <param name="block">Columns of a block; another one for tests.</param>
    /// <returns>False: not positive definite; the lower triangle is spoilt.</returns>
    public static bool Factorise(Tensor matrix, int block = Block)
    {
        int size = (int)matrix.shape[0];
        for (int first = 0; first < size; first += block)
        {
            using var scope = NewDisposeScope();
            int width = Math.Min(block, size - first), next = first + width;
            var diagonal = matrix.narrow(0, first, width).narrow(1, first, width);
            var left = matrix.narrow(0, first, width).narrow(1, 0, first);
            if (first > 0) diagonal.SubtractIn(left.mm(left.t()).tril_());
            var (corner, info) = linalg.cholesky_ex(diagonal);
            if (info.item<int>() != 0) return false;
            diagonal.copy_(diagonal.triu(1).AddIn(corner));
            for (int row = next; row < size; row += Rows)
            {
                using var inner = NewDisposeScope();
                int count = Math.Min(Rows, size - row);
                var panel = matrix.narrow(0, row, count).narrow(1, first, width);
                if (first > 0) panel.SubtractIn(matrix.narrow(0, row, count).narrow(1, 0, first).mm(left.t()));
                panel.copy_(linalg.solve_triangular(corner.t(), panel, upper: true, left: false));
            }
        }
        return true;
    }

    /// <summary>Makes it the symmetric matrix again whose upper triangle it still has.</summary>
    /// <param name="matrix">As <see cref="Factorise"/> left it: [n, n].</param>
    /// <param name="diagonal">The matrix's diagonal: [n].</param>
    public static void Restore(Tensor matrix, Tensor diagonal)
    {
        using var main = matrix.diagonal();
        main.copy_(diagonal);
        Mirror(matrix);
    }

    /// <summary>X of X·LLᵀ = N.</summary>
    /// <param name="factor">L in the lower triangle: [n, n]; what stands above the diagonal is not looked at.</param>
    /// <param name="numerators">N: [out, n].</param>
    public static Tensor Solve(Tensor factor, Tensor numerators)
    {
        using var half = linalg.solve_triangular(factor.t(), numerators, upper: true, left: false);
        return linalg.solve_triangular(factor, half, upper: false, left: false);
    }

    /// <summary>Copies the upper triangle onto the lower one, in place.</summary>
    public static void Mirror(Tensor matrix)
    {
        int size = (int)matrix.shape[0];
        for (int first = 0; first < size; first += Block)
        {
            using var scope = NewDisposeScope();
            int count = Math.Min(Block, size - first), rest = size - first - count;
            var block = matrix.narrow(0, first, count).narrow(1, first, count);
            block.copy_(block.triu().AddIn(block.triu(1).t()));
            if (rest == 0) continue;
            var right = matrix.narrow(0, first, count).narrow(1, first + count, rest);
            matrix.narrow(0, first + count, rest).narrow(1, first, count).copy_(right.t());
        }
    }
}
