using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Cholesky factorisation in the matrix's own memory, for matrices of which a second one would be too much: block by block, products and
/// solves by the library. L takes the lower triangle; above the diagonal the matrix stays what it was, so that it can be had back.
/// Golub and Van Loan, Matrix Computations, algorithm 4.2.2 by block columns. Double precision; the same bits on any number of threads.
/// </summary>
static class Cholesky
{
    /// <summary>Columns of a block: so wide that nearly all is done in products.</summary>
    const int Block = 256;

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
            int width = Math.Min(block, size - first);
            var rows = matrix.narrow(0, first, size - first);
            var (before, panel) = (rows.narrow(1, 0, first), rows.narrow(1, first, width));
            var (left, diagonal) = (before.narrow(0, 0, width), panel.narrow(0, 0, width));
            if (first > 0) TorchThreads.Ranges(size - first, (row, count) =>
                panel.narrow(0, row, count).SubtractIn(before.narrow(0, row, count).mm(left.t()).tril_(row)));
            var (corner, info) = TorchThreads.Alone(() => linalg.cholesky_ex(diagonal));
            if (info.item<int>() != 0) return false;
            diagonal.copy_(diagonal.triu(1).AddIn(corner));
            if (first + width < size) TorchThreads.Ranges(size - first - width, (row, count) =>
            {
                var part = panel.narrow(0, width + row, count);
                part.copy_(linalg.solve_triangular(corner.t(), part, upper: true, left: false));
            });
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
        var solved = empty_like(numerators);
        TorchThreads.Ranges(numerators.shape[0], (first, count) =>
        {
            var half = linalg.solve_triangular(factor.t(), numerators.narrow(0, first, count), upper: true, left: false);
            solved.narrow(0, first, count).copy_(linalg.solve_triangular(factor, half, upper: false, left: false));
        });
        return solved;
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
