using CsCheck;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

public class DifferenceSumsTests
{
    [Fact]
    public void SumsAreThoseOfTheScalarDefinition()
    {
        var pairs = Gen.Select(Gen.Float[-10, 10], Gen.Float[-10, 10]).Array[0, 40];
        pairs.Sample(pair =>
        {
            float[] a = [.. pair.Select(p => p.Item1)], b = [.. pair.Select(p => p.Item2)];
            var sums = DifferenceSums.Of(a, b);
            double SumOf(Func<double, double, double> term) => a.Zip(b, (x, y) => term(x, y)).Sum();
            Near(SumOf((x, _) => x * x), sums.A);
            Near(SumOf((_, y) => y * y), sums.B);
            Near(SumOf((x, y) => x * y), sums.AB);
            Near(SumOf((x, y) => (x - y) * (x - y)), sums.Difference);
            Assert.Equal(a.Zip(b, (x, y) => Math.Abs((double)x - y)).DefaultIfEmpty().Max(), sums.Largest);
            Assert.Equal(0, sums.NotComparable);
        });
        static void Near(double expected, double actual) => Assert.True(Math.Abs(expected - actual) <= 1e-9 * Math.Max(1, Math.Abs(expected)));
    }

    [Theory]
    [InlineData(float.NaN, float.NaN, 0)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity, 0)]
    [InlineData(float.PositiveInfinity, float.NegativeInfinity, 1)]
    [InlineData(float.NaN, 1, 1)]
    [InlineData(1, float.PositiveInfinity, 1)]
    public void WhatIsNoNumberIsCountedUnlessBothAreTheSame(float x, float y, long expected)
    {
        for (int place = 0; place < 9; place++)
        {
            float[] a = new float[9], b = new float[9];
            (a[place], b[place]) = (x, y);
            var sums = DifferenceSums.Of(a, b);
            Assert.Equal((expected, 0.0, 0.0), (sums.NotComparable, sums.Largest, sums.Difference));
        }
    }

    [Fact]
    public void TheLargestFloatsDoNotOverflow()
    {
        float[] a = [float.MaxValue, float.MaxValue, 0, 0, 1], b = [-float.MaxValue, float.MaxValue, 0, 0, 1];
        var sums = DifferenceSums.Of(a, b);
        Assert.Equal(2.0 * float.MaxValue, sums.Largest);
        Assert.Equal(0, sums.NotComparable);
    }

    [Fact]
    public void EqualValuesHaveCosineOneAndZerosHaveNone()
    {
        Assert.Equal((0, 1), (DifferenceSums.Of([0, 0], [0, 0]).Relative, DifferenceSums.Of([0, 0], [0, 0]).Cosine));
        Assert.Null(DifferenceSums.Of([0, 0], [1, 0]).Relative);
        Assert.Null(DifferenceSums.Of([0, 0], [1, 0]).Cosine);
        Assert.Equal(1, DifferenceSums.Of([0.1f, 0.2f, 0.3f], [0.1f, 0.2f, 0.3f]).Cosine);
    }
}
