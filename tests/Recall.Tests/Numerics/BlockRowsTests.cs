using System.Runtime.Intrinsics;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

[Trait("kernel", "true")]
public class BlockRowsTests
{
    [Fact]
    public void RmsNormIsThatOfTheFormulaAtEveryLength()
    {
        foreach (int length in Samples.Lengths.Where(length => length > 0).Append(576))
        {
            float[] values = Values(length, 1, 3), weight = Values(length, 2, 1);
            double scale = 1 / Math.Sqrt(values.Sum(value => (double)value * value) / length + 1e-5);
            var row = Samples.Unaligned<float>(values, length % 3);
            BlockRows.RmsNorm(row, weight, 1e-5);
            for (int i = 0; i < length; i++) Assert.Equal(values[i] * scale * weight[i], row[i], 1e-6 + 1e-6 * Math.Abs(row[i]));
        }
    }

    [Fact]
    public void SiluTimesIsThatOfTheFormulaAtEveryLength()
    {
        foreach (int length in Samples.Lengths)
        {
            float[] values = Values(length, 3, 20), up = Values(length, 4, 2);
            var row = Samples.Unaligned<float>(values, length % 3);
            BlockRows.SiluTimes(row, up);
            for (int i = 0; i < length; i++)
                Assert.Equal(values[i] / (1 + Math.Exp(-values[i])) * up[i], row[i], 1e-12 + 5e-7 * Math.Abs(row[i]));
        }
    }

    [Fact]
    public void SiluTimesAtTheEndsOfFloat32()
    {
        float[] gate = [0, -90, -1e30f, 90, 1e30f, float.NaN, float.PositiveInfinity, -0f, .. new float[9]];
        float[] up = [.. gate.Select(_ => 1f)], row = [.. gate];
        BlockRows.SiluTimes(row, up);
        Assert.Equal([0, 90, 1e30f], new[] { row[0], row[3], row[4] });
        Assert.InRange(row[1], -1e-30f, 0);
        Assert.InRange(row[2], -1e30f / 1e38f, 0);
        Assert.True(float.IsNaN(row[5]));
        Assert.Equal(float.PositiveInfinity, row[6]);
        Assert.All(row[7..], value => Assert.Equal(0, value));
    }

    [Fact]
    public void ANumberThatIsNoneMakesTheNormNone()
    {
        float[] row = Values(40, 5, 1);
        row[33] = float.NaN;
        BlockRows.RmsNorm(row, Values(40, 6, 1), 1e-5);
        Assert.All(row, value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void TheSumIsThatOfTheLanes() =>
        Assert.Equal(136f, BlockRows.Sum(Vector512.Create(1f, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)));

    static float[] Values(int length, int seed, float largest)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => (float)(random.NextDouble() * 2 - 1) * largest)];
    }
}
