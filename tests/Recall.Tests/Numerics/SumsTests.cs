using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>Sums against their definition: lane i mod 32 in whole runs of 32, lane i mod 8 in whole runs of 8 after them, lanes in order, then the tail; the same bits at every width.</summary>
[Trait("kernel", "true")]
public class SumsTests
{
    static readonly float[] X = Finite(Samples.Floats(400)), Y = [.. X.Reverse()];

    [Fact]
    public void DotAndMagnitudesEqualTheLoopOverLanes()
    {
        foreach (int length in Samples.Lengths)
        {
            for (int shift = 0; shift < 200; shift += 13)
            {
                var x = X.AsSpan(shift, length);
                var y = Y.AsSpan(shift, length);
                var products = new double[length];
                var magnitudes = new double[length];
                for (int i = 0; i < length; i++) (products[i], magnitudes[i]) = ((double)x[i] * y[i], Math.Abs((double)x[i]));
                Assert.Equal(Lanes(products), Sums.Dot(x, y));
                Assert.Equal(Lanes(magnitudes), Sums.Magnitudes(x));
                Assert.Equal((Sums.Dot(x, x), Sums.Dot(y, y), Sums.Dot(x, y)), Sums.Products(x, y));
            }
        }
    }

    [Fact]
    public void WhatIsNotFiniteIsNotLost()
    {
        var values = new float[33];
        values[20] = float.NaN;
        Assert.True(double.IsNaN(Sums.Magnitudes(values)) && double.IsNaN(Sums.Dot(values, values)));
        values[20] = float.NegativeInfinity;
        Assert.Equal(double.PositiveInfinity, Sums.Magnitudes(values));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sums.Dot(new float[3], new float[4]));
    }

    static double Lanes(double[] values)
    {
        var lanes = new double[32];
        int runs = values.Length / 32 * 32, whole = values.Length / 8 * 8;
        for (int i = 0; i < whole; i++) lanes[i < runs ? i % 32 : i % 8] += values[i];
        double sum = 0;
        for (int i = 0; i < 8; i++) sum += lanes[i] + lanes[i + 8] + (lanes[i + 16] + lanes[i + 24]);
        for (int i = whole; i < values.Length; i++) sum += values[i];
        return sum;
    }

    static float[] Finite(float[] values) => [.. values.Select(value => float.IsFinite(value) ? value : 0.5f)];
}
