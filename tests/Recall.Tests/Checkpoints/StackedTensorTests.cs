using CsCheck;
using Recall.Checkpoints;

namespace Recall.Tests.Checkpoints;

/// <summary>Tensors one behind the other.</summary>
public class StackedTensorTests
{
    [Fact]
    public void AnyPieceIsThatOfThePartsOneBehindTheOther() =>
        Gen.Select(Gen.Int[0, 9].Array[1, 6], Gen.Int[0, 100], Gen.Int[0, 100]).Sample((lengths, from, to) =>
        {
            int total = lengths.Sum(), next = 0;
            (from, to) = (Math.Min(from, total), Math.Min(to, total));
            (from, to) = (Math.Min(from, to), Math.Max(from, to));
            var parts = lengths.Select(length => (TensorSource)new ComputedTensor("part", new Shape(length), Enumerable.Range(next, length).Select(_ => (float)next++).ToArray()));
            var stacked = new StackedTensor("all", new Shape(total), [.. parts]);
            var values = new float[to - from];
            stacked.Read(new TileReader(), from, values);
            Assert.Equal(Enumerable.Range(from, to - from).Select(value => (float)value), values);
        });

    [Fact]
    public void AScaledTensorIsTimesItsFactor()
    {
        var values = new float[2];
        new ScaledTensor(new ComputedTensor("x", new Shape(4), new float[] { 1, 2, 3, 4 }), -0.5).Read(new TileReader(), 1, values);
        Assert.Equal([-1, -1.5f], values);
    }
}
