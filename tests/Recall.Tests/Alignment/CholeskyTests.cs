using Recall.Alignment;
using static TorchSharp.torch;

namespace Recall.Tests.Alignment;

/// <summary>Cholesky in place, block by block, beside the library's whole one.</summary>
public sealed class CholeskyTests
{
    static Tensor Positive(int size, int seed)
    {
        using var generator = new Generator((ulong)seed);
        var rows = randn([size + 3, size], ScalarType.Float64, generator: generator);
        var product = rows.t().mm(rows);
        Cholesky.Mirror(product);
        return product;
    }

    static double Difference(Tensor one, Tensor other) => (one - other).abs().max().item<double>();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 1)]
    [InlineData(7, 3)]
    [InlineData(8, 4)]
    [InlineData(9, 4)]
    [InlineData(64, 16)]
    [InlineData(37, 512)]
    [InlineData(700, 512)]
    public void Blocks_give_the_factor_of_the_whole(int size, int block)
    {
        using var scope = NewDisposeScope();
        Tensor matrix = Positive(size, size), packed = matrix.clone();
        Assert.True(Cholesky.Factorise(packed, block));

        Assert.True(Difference(packed.tril(), linalg.cholesky(matrix)) < 1e-10 * size);
        Assert.Equal(0, Difference(packed.triu(1), matrix.triu(1)));
        var numerators = Positive(size, 3).narrow(0, 0, Math.Min(size, 4));
        Assert.True(Difference(Cholesky.Solve(packed, numerators).mm(matrix), numerators) < 1e-8 * size);
        Cholesky.Restore(packed, matrix.diagonal().clone());
        Assert.Equal(0, Difference(packed, matrix));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(9)]
    public void A_matrix_that_is_not_positive_definite_is_told_by_any_block(int place)
    {
        using var scope = NewDisposeScope();
        var matrix = Positive(10, 1);
        matrix[place, place] = -1;
        Assert.False(Cholesky.Factorise(matrix, 4));
    }

    [Fact]
    public void What_is_no_number_is_not_positive_definite()
    {
        using var scope = NewDisposeScope();
        var matrix = Positive(10, 1);
        matrix[8, 2] = matrix[2, 8] = double.NaN;
        Assert.False(Cholesky.Factorise(matrix, 4));
    }
}
