using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// The second moment of a linear layer's inputs, Σ w xᵀx: as a matrix, or as FᵀF + diag(d), where F holds few rows: weighted tokens, or
/// scaled eigenvectors. Double precision; [in, in].
/// </summary>
/// <param name="Size">Values of an input (in).</param>
sealed record SecondMoment(int Size) : IDisposable
{
    /// <summary>[in, in]; null where it is given by factor and diagonal.</summary>
    public Tensor? Matrix { get; init; }

    /// <summary>F: [rows, in]; null: none.</summary>
    public Tensor? Factor { get; init; }

    /// <summary>d: [in]; null: 0.</summary>
    public Tensor? Diagonal { get; init; }

    /// <summary>
    /// The ridge (absolute) that the merge has used which this is the sum of: what Σ τ G is to be taken from the merged τ with. 0 for one
    /// expert.
    /// </summary>
    public double Ridge { get; init; }

    /// <summary>Rows of the factor; null where there is a matrix.</summary>
    public long? Rank => Matrix is null ? Factor?.shape[0] ?? 0 : null;

    /// <summary>Sum of the diagonal.</summary>
    public double Trace
    {
        get
        {
            using var scope = NewDisposeScope();
            double trace = Matrix is null ? 0 : TorchThreads.Total(Matrix.diagonal());
            if (Factor is not null) trace += TorchThreads.Total(Factor.Squared());
            return trace + (Diagonal is null ? 0 : TorchThreads.Total(Diagonal));
        }
    }

    /// <summary>Adds it to a matrix [in, in].</summary>
    public void AddTo(Tensor sum)
    {
        using var scope = NewDisposeScope();
        if (Matrix is not null) sum.AddIn(Matrix);
        // Range by range: the product as a whole would be a matrix more.
        if (Factor is not null) TorchThreads.Ranges(Size, (first, count) =>
            sum.narrow(0, first, count).AddIn(Factor.narrow(1, first, count).t().mm(Factor)));
        if (Diagonal is not null) sum.diagonal().AddIn(Diagonal);
    }

    /// <summary>The product with a matrix from the left: M·G.</summary>
    public Tensor After(Tensor left)
    {
        // [out, in] → [out, in]
        using var scope = NewDisposeScope();
        var product = Matrix is not null ? left.Product(Matrix) : Factor is not null ? left.Product(Factor.t()).Product(Factor) : zeros_like(left);
        if (Diagonal is not null) product.AddIn(left * Diagonal);
        return product.MoveToOuterDisposeScope();
    }

    /// <summary>The whole matrix, new.</summary>
    public Tensor ToMatrix()
    {
        var matrix = zeros([Size, Size], ScalarType.Float64);
        AddTo(matrix);
        return matrix;
    }

    /// <summary>The diagonal, new: [in].</summary>
    public Tensor DiagonalValues()
    {
        using var scope = NewDisposeScope();
        var diagonal = Matrix is not null ? Matrix.diagonal().clone() : Factor is not null ? Factor.Squared().ColumnSums()
            : zeros(Size, ScalarType.Float64);
        if (Diagonal is not null) diagonal.AddIn(Diagonal);
        return diagonal.MoveToOuterDisposeScope();
    }

    /// <summary>The same so many times, new.</summary>
    public SecondMoment Times(double factor) => this with
    {
        Matrix = Matrix?.Scaled(factor),
        Factor = Factor?.Scaled(Math.Sqrt(factor)),
        Diagonal = Diagonal?.Scaled(factor),
        Ridge = factor * Ridge,
    };

    /// <summary>The same with the entries off the diagonal times a factor, 0 … 1.</summary>
    public SecondMoment WithOffDiagonal(double factor)
    {
        if (factor == 1) return this;
        using var scope = NewDisposeScope();
        var rest = DiagonalValues().Scaled(1 - factor);
        if (Matrix is not null)
        {
            var matrix = Matrix.Scaled(factor);
            matrix.diagonal().AddIn(rest);
            return this with { Matrix = matrix.MoveToOuterDisposeScope() };
        }
        if (Diagonal is not null) rest.AddIn(Diagonal.Scaled(factor));
        return this with
        {
            Factor = Factor is null ? null : Factor.Scaled(Math.Sqrt(factor)).MoveToOuterDisposeScope(),
            Diagonal = rest.MoveToOuterDisposeScope()
        };
    }

    /// <summary>
    /// What a card of rank R keeps: the R largest eigenpairs as rows √λ·v, and of the diagonal what they miss, at least 0.
    /// </summary>
    public SecondMoment Cut(int rank)
    {
        if (rank >= Size || Rank <= rank) return this;
        using var scope = NewDisposeScope();
        var (values, vectors) = Eigenpairs.Largest(ToMatrix(), rank);
        var factor = (vectors * values.AtLeastZero().sqrt()).t().contiguous();
        var missing = DiagonalValues().Minus(factor.Squared().ColumnSums()).AtLeastZero();
        return new SecondMoment(Size)
        {
            Factor = factor.MoveToOuterDisposeScope(), Diagonal = missing.MoveToOuterDisposeScope(),
            Ridge = Ridge
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Matrix?.Dispose();
        Factor?.Dispose();
        Diagonal?.Dispose();
    }
}
