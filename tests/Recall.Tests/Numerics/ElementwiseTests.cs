using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>Arithmetic of merges against loops: the same bits at every length, start and vector width (any NaN for a NaN).</summary>
[Trait("kernel", "true")]
public class ElementwiseTests
{
    static readonly float[] X = Samples.Floats(200), B = [.. Samples.Floats(200).Reverse()], Y = [.. Samples.Floats(300).Skip(100)];

    public static TheoryData<float> Factors => [0f, 1f, -0.3f, 1e30f, float.Epsilon, float.PositiveInfinity, float.NaN];

    [Theory, MemberData(nameof(Factors))]
    public void ScaleIsOneProduct(float a) =>
        Check((x, _, y) => Elementwise.Scale(x, a, y), (x, _, _) => x * a);

    [Theory, MemberData(nameof(Factors))]
    public void AddScaledRoundsTheProductThenTheSum(float a) =>
        Check((x, _, y) => Elementwise.AddScaled(x, a, y), (x, _, y) => (float)(x * a) + y);

    [Theory, MemberData(nameof(Factors))]
    public void AddScaledDifferenceRoundsThreeTimes(float a) =>
        Check((x, b, y) => Elementwise.AddScaledDifference(x, b, a, y), (x, b, y) => y + (float)((float)(x - b) * a));

    [Theory, MemberData(nameof(Factors))]
    public void TwoInputsAtOnceRoundAsOneAfterTheOther(float a)
    {
        Check((x, b, y) => Elementwise.Mix(x, a, b, -1.7f, y), (x, b, _) => (float)(x * a) + (float)(b * -1.7f));
        Check((x, b, y) => Elementwise.AddMix(x, a, b, -1.7f, y), (x, b, y) => (float)(y + (float)(x * a)) + (float)(b * -1.7f));
        Check((x, b, y) => Elementwise.AddScaledDifferences(x, a, b, -1.7f, x, y), (x, b, y) => (float)(y + (float)((x - x) * a)) + (float)((float)(b - x) * -1.7f));
    }

    [Fact]
    public void MaxMagnitudeIsTheLargestAndNaNWhereThereIsOne()
    {
        foreach (int length in Samples.Lengths)
        {
            for (int shift = 0; shift < 120; shift += 7)
            {
                var values = X.AsSpan(shift, Math.Min(length, X.Length - shift));
                float expected = 0;
                foreach (float value in values) expected = float.IsNaN(value) || float.IsNaN(expected) ? float.NaN : Math.Max(expected, Math.Abs(value));
                Assert.Equal(Samples.Bits([expected]), Samples.Bits([Elementwise.MaxMagnitude(values)]));
            }
        }
    }

    [Fact]
    public void LengthsMustAgree()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.Scale<float>(new float[3], 1, new float[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.AddScaled<float>(new float[4], 1, new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.AddScaledDifference<float>(new float[4], new float[3], 1, new float[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.Mix<float>(new float[4], 1, new float[3], 1, new float[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.AddMix<float>(new float[4], 1, new float[4], 1, new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.AddScaledDifferences<float>(new float[4], 1, new float[4], 1, new float[3], new float[4]));
    }

    delegate void Kernel(ReadOnlySpan<float> x, ReadOnlySpan<float> b, Span<float> y);

    static void Check(Kernel kernel, Func<float, float, float, float> scalar)
    {
        foreach (int length in Samples.Lengths)
        {
            for (int shift = 0; shift < 4; shift++)
            {
                var x = Samples.Unaligned<float>(X.AsSpan(0, length), shift);
                var b = Samples.Unaligned<float>(B.AsSpan(0, length), (shift * 3) & 3);
                var y = new float[length + 1];
                Y.AsSpan(0, length).CopyTo(y);
                y[length] = 42;
                kernel(x, b, y.AsSpan(0, length));
                Assert.Equal(42, y[length]);
                for (int i = 0; i < length; i++)
                {
                    float expected = scalar(X[i], B[i], Y[i]);
                    Assert.True(Samples.Bits([expected])[0] == Samples.Bits([y[i]])[0], $"length {length}, element {i}: {y[i]:R}, expected {expected:R}");
                }
            }
        }
    }
}
