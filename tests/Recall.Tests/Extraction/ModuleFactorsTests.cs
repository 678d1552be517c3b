using Recall.Extraction;
using static TorchSharp.torch;

namespace Recall.Tests.Extraction;

public class ModuleFactorsTests
{
    static readonly ExtractionOptions Options = new() { Output = "" };

    static Tensor Random(int seed, long rows, long columns)
    {
        var random = new Random(seed);
        return tensor(Enumerable.Range(0, (int)(rows * columns)).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray(), [rows, columns]);
    }

    /// <summary>Small ones by the decomposition itself, large ones by their Gram matrix; wide and tall.</summary>
    [Theory, InlineData(60, 80), InlineData(80, 60), InlineData(600, 640), InlineData(640, 600)]
    public void AMatrixOfLowRankComesBack(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var matrix = Random(1, rows, 5).mm(Random(2, 5, columns));
        foreach (bool distribute in new[] { true, false })
        {
            var factors = ModuleFactors.Of(matrix, Options with { MaxRank = 20, DistributeScale = distribute })!;
            Assert.InRange(factors.Rank, 5, 20);
            Assert.InRange(factors.Lost, 0, 1e-9);
            var product = tensor(factors.B, [rows, factors.Rank]).mm(tensor(factors.A, [factors.Rank, columns]));
            Assert.True((product - matrix).abs().max().item<float>() < 1e-5);
            double length = Math.Sqrt(factors.B.Chunk(factors.Rank).Sum(row => (double)row[0] * row[0]));
            Assert.Equal(!distribute, Math.Abs(length - 1) < 1e-5);
        }
        var cut = ModuleFactors.Of(matrix, Options with { MaxRank = 3 })!;
        Assert.Equal(3, cut.Rank);
        Assert.InRange(cut.Lost, 1e-3, 0.5);
    }

    /// <summary>Noise has the flattest spectrum there is: what is kept is nearly what the whole decomposition keeps.</summary>
    [Fact]
    public void ALargeMatrixOfNoiseLosesWhatItMust()
    {
        using var scope = NewDisposeScope();
        var matrix = Random(3, 600, 620);
        var values = linalg.svdvals(matrix.to_type(ScalarType.Float64)).square();
        double must = 1 - values.narrow(0, 0, 32).sum().item<double>() / values.sum().item<double>();
        var factors = ModuleFactors.Of(matrix, Options with { MaxRank = 32 })!;
        Assert.Equal(32, factors.Rank);
        Assert.InRange(factors.Lost, must - 1e-9, must + 0.01);
        var product = tensor(factors.B, [600, 32]).mm(tensor(factors.A, [32, 620]));
        Assert.Equal(factors.Lost, (matrix - product).square().sum().item<float>() / matrix.square().sum().item<float>(), 2e-3);
    }

    /// <summary>Products come in parts of 2,048 columns; each part is added.</summary>
    [Theory, InlineData(520, 4100), InlineData(4100, 520)]
    public void ALongMatrixIsDecomposedPartByPart(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var matrix = Random(4, rows, 3).mm(Random(5, 3, columns));
        var factors = ModuleFactors.Of(matrix, Options with { MaxRank = 8 }, TestContext.Current.CancellationToken)!;
        var product = tensor(factors.B, [rows, factors.Rank]).mm(tensor(factors.A, [factors.Rank, columns]));
        Assert.True((product - matrix).abs().max().item<float>() < 1e-5);
        Assert.Throws<OperationCanceledException>(() => ModuleFactors.Of(matrix, Options with { MaxRank = 8 }, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void WhatIsNoNumberIsToldApart()
    {
        using var scope = NewDisposeScope();
        Assert.Null(ModuleFactors.Of(tensor(new[] { 1, float.NaN }, [1, 2]), Options));
        Assert.Equal(0, ModuleFactors.Of(zeros(3, 4), Options)!.Rank);
    }
}
