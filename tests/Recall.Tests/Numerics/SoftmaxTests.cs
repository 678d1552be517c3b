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
            Assert.InRange(Softmax.Divergence(x, y), wanted - 1e-6 * wanted - 1e-15, wanted + 1e-6 * wanted + 1e-15);
            Assert.Equal(0, Softmax.Divergence(x, x));
            float[] far = [.. y.Select(value => value * 3)];
            Assert.Equal(Softmaxed(x).Zip(Softmaxed(far), (p, q) => p * Math.Log(p / q)).Sum(), Softmax.Divergence(x, far), 1e-14);
        }
    }

    [Theory, InlineData(1e-5, 0.02), InlineData(0.05, 0.3), InlineData(0.12, 20), InlineData(1e-3, 60)]
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
            Assert.InRange(Softmax.Divergence(x, y) - wanted, -3e-6 * wanted - 1e-18, 3e-6 * wanted + 1e-18);
        }
        static double Series(double t) => t * t / 2 - t * t * t / 3 + t * t * t * t / 4 - t * t * t * t * t / 5;
    }
}
