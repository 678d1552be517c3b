using Recall.Alignment;
using static TorchSharp.torch;

namespace Recall.Tests.Alignment;

/// <summary>Solving with second moments, given as matrices or by few rows.</summary>
public sealed class RidgedSumTests
{
    static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        var values = new double[shape.Aggregate(1L, (product, extent) => product * extent)];
        for (int i = 0; i < values.Length; i++) values[i] = random.NextDouble() - 0.5;
        return tensor(values, shape);
    }

    static double Difference(Tensor one, Tensor other) => (one - other).abs().max().item<double>();

    [Theory]
    [InlineData(12, 3, true)]
    [InlineData(12, 3, false)]
    [InlineData(7, 0, true)]
    public void The_dual_form_gives_what_the_whole_matrix_gives(int size, int rows, bool diagonal)
    {
        using var scope = NewDisposeScope();
        SecondMoment[] moments =
        [
            .. Enumerable.Range(0, 3).Select(i => new SecondMoment(size)
            {
                Factor = rows == 0 ? null : Random(i, rows, size),
                Diagonal = diagonal ? Random(10 + i, size).abs() : null,
            }),
        ];
        var sum = zeros([size, size], ScalarType.Float64);
        foreach (var moment in moments) moment.AddTo(sum);
        var numerators = Random(20, 5, size);
        using var whole = RidgedSum.Of(sum, 1e-3, _ => { });
        using var dual = RidgedSum.Dual(moments, 1e-3);

        Assert.Equal(whole.Ridge, dual.Ridge, 1e-12);
        Assert.True(Difference(whole.Solve(numerators), dual.Solve(numerators)) < 1e-9);
    }

    [Fact]
    public void The_solution_times_the_sum_is_the_right_side()
    {
        using var scope = NewDisposeScope();
        var rows = Random(1, 9, 6);
        var sum = rows.t().mm(rows);
        var numerators = Random(2, 4, 6);
        using var solver = RidgedSum.Of(sum.clone(), 0.5, _ => { });

        var ridged = sum + eye(6, dtype: ScalarType.Float64) * solver.Ridge;
        Assert.True(Difference(solver.Solve(numerators).mm(ridged), numerators) < 1e-12);
    }

    [Fact]
    public void What_was_factorised_in_place_is_had_back_to_the_last_digit()
    {
        using var scope = NewDisposeScope();
        var rows = Random(1, 90, 60);
        Tensor sum = rows.t().mm(rows), taken = (sum + sum.t()) / 2, before = taken.clone();
        using var solver = RidgedSum.Of(taken.alias(), 1e-3, _ => { });

        Assert.NotEqual(0, Difference(taken, before));
        solver.Restore();
        Assert.Equal(0, Difference(taken, before));
    }

    [Fact]
    public void A_sum_that_is_not_positive_definite_gets_more_ridge_and_a_note()
    {
        using var scope = NewDisposeScope();
        var notes = new List<string>();
        using var solver = RidgedSum.Of(tensor(new double[,] { { 1, 1.5 }, { 1.5, 1 } }), 1e-3, notes.Add);

        Assert.True(solver.Ridge > 0.5);
        Assert.Equal("its statistics are not positive definite: the ridge was raised from 0.001 to 1", Assert.Single(notes));
    }

    [Fact]
    public void Matrices_and_factors_of_one_moment_agree_in_everything()
    {
        using var scope = NewDisposeScope();
        var byFactor = new SecondMoment(6) { Factor = Random(1, 3, 6), Diagonal = Random(2, 6).abs() };
        var byMatrix = new SecondMoment(6) { Matrix = byFactor.ToMatrix() };
        var left = Random(3, 4, 6);

        Assert.Equal(byMatrix.Trace, byFactor.Trace, 1e-12);
        Assert.True(Difference(byMatrix.After(left), byFactor.After(left)) < 1e-12);
        Assert.True(Difference(byMatrix.DiagonalValues(), byFactor.DiagonalValues()) < 1e-12);
        Assert.True(Difference(byMatrix.WithOffDiagonal(0.7).ToMatrix(), byFactor.WithOffDiagonal(0.7).ToMatrix()) < 1e-12);
        Assert.True(Difference(byMatrix.Cut(2).ToMatrix(), byFactor.Cut(2).ToMatrix()) < 1e-12);
    }

    [Theory]
    [InlineData(40, 40, 4)]
    [InlineData(600, 30, 8)]
    public void A_cut_keeps_the_largest_eigenpairs_and_the_diagonal(int size, int rows, int rank)
    {
        using var scope = NewDisposeScope();
        var factor = Random(4, rows, size) * pow(0.7, arange(rows).to_type(ScalarType.Float64)).unsqueeze(1);
        var whole = new SecondMoment(size) { Matrix = factor.t().mm(factor) };
        var cut = whole.Cut(rank);

        var (values, _) = linalg.eigh(whole.Matrix!);
        var largest = values.narrow(0, size - rank, rank).flip(0);
        Assert.True(Difference(cut.Factor!.square().sum([1L]), largest) < 1e-8 * largest[0].item<double>());
        Assert.True(Difference(cut.DiagonalValues(), whole.DiagonalValues()) < 1e-8);
        Assert.True(Difference(whole.Matrix!.mm(cut.Factor!.t()), cut.Factor!.t() * largest) < 1e-6);
    }
}
