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
            Assert.Equal(wanted, Softmax.Divergence(x, y), 1e-14);
            Assert.Equal(0, Softmax.Divergence(x, x));
        }
    }
}
