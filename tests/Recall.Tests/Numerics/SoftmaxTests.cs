using System.Runtime.Intrinsics;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

[Trait("kernel", "true")]
public class SoftmaxTests
{
    [Fact]
    public void ExponentialAndLogarithmAreThoseOfMath()
    {
        var random = new Random(4);
        for (int i = 0; i < 20_000; i++)
        {
            double x = i < 100 ? -i / 10.0 : -random.NextDouble() * (i % 3 == 0 ? 690 : 5), value = Math.Exp(x);
            Assert.InRange(Softmax.Exp(Vector512.Create(x))[3] / value, 1 - 4e-15, 1 + 4e-15);
            double argument = Math.Exp((random.NextDouble() - 0.5) * (i % 3 == 0 ? 40 : 0.001)), logarithm = Math.Log(argument);
            Assert.InRange(Softmax.Log(Vector512.Create(argument))[5] - logarithm, -4e-16 - 1e-15 * Math.Abs(logarithm), 4e-16 + 1e-15 * Math.Abs(logarithm));
        }
        Assert.Equal(Vector512<double>.Zero, Softmax.Exp(Vector512.Create(-1e30)));
        Assert.Equal(Vector512<double>.Zero, Softmax.Log(Vector512<double>.One));
    }

    [Fact]
    public void DivergenceIsThatOfTheFormulaAtEveryLength()
    {
        var random = new Random(5);
        for (int length = 1; length <= 50; length++)
        {
            float[] x = [.. Enumerable.Range(0, length).Select(_ => (float)(random.NextDouble() * 8 - 4))];
            float[] y = [.. x.Select(value => value + (float)random.NextDouble() / 10)];
            double[] Softmaxed(float[] values) => [.. values.Select(value => Math.Exp(value) / values.Sum(each => Math.Exp(each)) + 1e-8)];
            double wanted = Softmaxed(x).Zip(Softmaxed(y), (p, q) => p * Math.Log(p / q)).Sum();
            Assert.InRange(Softmax.Divergence<float>(x, y), wanted - 1e-6 * wanted - 1e-15, wanted + 1e-6 * wanted + 1e-15);
            Assert.Equal(0, Softmax.Divergence<float>(x, x));
            float[] far = [.. y.Select(value => value * 3)];
            Assert.Equal(Softmaxed(x).Zip(Softmaxed(far), (p, q) => p * Math.Log(p / q)).Sum(), Softmax.Divergence<float>(x, far), 1e-14);
        }
    }

    // Divergence of rows that are near, one value after another: sixteen sums in float32 over 256 values, then sixteen in float64.
    static double InOrder(float[] x, float[] y)
    {
        static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);
        float[] e = new float[x.Length], growths = new float[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            float shifted = Fma(x[i], 1.44269504f, 12582912f), whole = shifted - 12582912f;
            float r = Fma(whole, 2.12194440e-4f, Fma(whole, -0.693359375f, x[i])), sum = 1 / 720f;
            foreach (float next in (float[])[1 / 120f, 1 / 24f, 1 / 6f, 0.5f, 1, 1]) sum = Fma(sum, r, next);
            e[i] = sum * BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(shifted) + 127 << 23);
            float d = y[i] - x[i], growth = 1 / 720f;
            foreach (float next in (float[])[1 / 120f, 1 / 24f, 1 / 6f, 0.5f]) growth = Fma(growth, d, next);
            growths[i] = Fma(growth, d * d, d);
        }
        double all = Lanes((i, sum) => sum + e[i]), more = Lanes((i, sum) => Fma(e[i], growths[i], sum));
        float scale = (float)(1 / all), ratio = (float)(-more / (all + more));
        return Lanes((i, sum) =>
        {
            float p = e[i] * scale, difference = p * Fma(ratio, 1 + growths[i], growths[i]), twice = (p + 1e-8f) * 2;
            float s = difference / (twice + difference), square = s * s, series = 1 / 11f;
            foreach (float next in (float[])[1 / 9f, 1 / 7f, 1 / 5f, 1 / 3f]) series = Fma(series, square, next);
            return Fma(s, Fma(-(twice * square), series, difference), sum);
        });

        double Lanes(Func<int, float, float> add)
        {
            var lanes = new double[16];
            for (int block = 0; block < x.Length; block += 256)
            {
                var sums = new float[16];
                for (int i = block; i < Math.Min(block + 256, x.Length); i++) sums[i % 16] = add(i, sums[i % 16]);
                for (int lane = 0; lane < 16; lane++) lanes[lane] += sums[lane];
            }
            double sum = 0;
            for (int lane = 0; lane < 8; lane++) sum += lanes[lane] + lanes[lane + 8];
            return sum;
        }
    }

    [Fact]
    public void DivergenceOfNearRowsIsThatOfOneValueAfterAnother()
    {
        var random = new Random(8);
        foreach (int length in (int[])[.. Enumerable.Range(2, 66), 255, 256, 257, 271, 272, 273, 1000])
        {
            float[] x = [.. Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() - 0.5) * 64))];
            float[] y = [.. x.Select(value => value + (float)((random.NextDouble() - 0.5) / 4))];
            Assert.Equal(InOrder(x, y), Softmax.Divergence<float>(x, y));
            BFloat16[] bitsX = [.. x.Select(value => (BFloat16)(value / 64))], bitsY = [.. y.Select(value => (BFloat16)(value / 64))];
            float[] roundX = [.. bitsX.Select(value => (float)value)], roundY = [.. bitsY.Select(value => (float)value)];
            Assert.Equal(InOrder(roundX, roundY), Softmax.Divergence<BFloat16>(bitsX, bitsY));
            roundY[length / 2] += 0.3f;     // no longer near
            Assert.NotEqual(InOrder(roundX, roundY), Softmax.Divergence<float>(roundX, roundY));
            Assert.Equal(InOrder(roundX, roundY), Softmax.Divergence<float>(roundX, roundY), 1e-5);
        }
    }

    [Theory, InlineData(1e-5, 0.02), InlineData(0.05, 0.3), InlineData(0.12, 20), InlineData(0.12, 31), InlineData(0.24, 8), InlineData(1e-3, 60)]
    public void DivergenceOfRowsThatDifferLittleKeepsSixDigits(double difference, double spread)
    {
        var random = new Random(6);
        foreach (int length in (int[])[2, 16, 17, 2048, 9001])
        {
            float[] x = [.. Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() - 0.5) * 2 * spread))];
            float[] y = [.. x.Select(value => value + (float)((random.NextDouble() - 0.5) * 2 * difference))];
            decimal[] Softmaxed(float[] values)
            {
                double largest = values.Max(), sum = values.Sum(each => Math.Exp(each - largest));
                return [.. values.Select(value => (decimal)(Math.Exp(value - largest) / sum) + 1e-8m)];
            }
            // The terms but for those that cancel: p (t − ln(1 + t)), t = q / p − 1.
            double wanted = Softmaxed(x).Zip(Softmaxed(y), (p, q) => (double)p * (double)((q - p) / p) is var change && Math.Abs(change / (double)p) < 1e-3
                ? Series(change / (double)p) * (double)p : change - (double)p * Math.Log((double)(q / p))).Sum();
            Assert.InRange(Softmax.Divergence<float>(x, y) - wanted, -3e-6 * wanted - 1e-18, 3e-6 * wanted + 1e-18);
        }
        static double Series(double t) => t * t / 2 - t * t * t / 3 + t * t * t * t / 4 - t * t * t * t * t / 5;
    }
}
