using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>Each kernel of the merge methods against a plain loop, bit for bit: lengths to three vectors and more, any start, special values.</summary>
[Trait("kernel", "true")]
public class MethodKernelTests
{
    static readonly float[] Special = [0f, -0f, float.Epsilon, -float.Epsilon, 1e-40f, -3e-39f, 1f, -1f, 1e-5f, 3e38f, -3e38f, 1.0000001f, 0.5f];

    delegate void Trial(float[] x, float[] y, float[] z);

    static void ForAll(Trial trial, bool damaged = false)
    {
        var random = new Random(9);
        for (int length = 0; length <= 3 * 16 + 1; length++)
        {
            float[] Values() => [.. Enumerable.Range(0, length).Select(_ => random.Next(3) switch
            {
                0 => Special[random.Next(Special.Length)],
                1 when damaged && random.Next(4) == 0 => random.Next(3) switch { 0 => float.NaN, 1 => float.PositiveInfinity, _ => float.NegativeInfinity },
                _ => random.Next(-50, 51) / 32f,
            })];
            trial(Values(), Values(), Values());
        }
    }

    // The same numbers at another address: kernels must not care for alignment.
    static Span<float> Shifted(float[] values, int shift)
    {
        var moved = new float[values.Length + shift];
        values.CopyTo(moved, shift);
        return moved.AsSpan(shift);
    }

    static void AssertSame(ReadOnlySpan<float> wanted, ReadOnlySpan<float> got)
    {
        for (int i = 0; i < wanted.Length; i++)
            if (!(float.IsNaN(wanted[i]) && float.IsNaN(got[i]))) Assert.Equal(BitConverter.SingleToInt32Bits(wanted[i]), BitConverter.SingleToInt32Bits(got[i]));
    }

    [Fact]
    public void ElementwiseKernelsAreTheirFormulas() => ForAll((x, y, z) =>
    {
        for (int shift = 0; shift < 3; shift++)
        {
            void Check(Func<int, float> formula, Func<Span<float>> kernel) => AssertSame([.. Enumerable.Range(0, x.Length).Select(formula)], kernel());
            Check(i => y[i] + x[i] * z[i], () => { var to = Shifted(y, shift).ToArray(); Elementwise.AddProduct(Shifted(x, shift), z, to); return to; });
            Check(i => MathF.Max(x[i], 0.25f), () => { var to = Shifted(x, shift); Elementwise.AtLeast(to, 0.25f); return to.ToArray(); });
            Check(i => x[i] - y[i], () => { var to = Shifted(x, shift); TaskVectors.Subtract(Shifted(y, shift), to); return to.ToArray(); });
            Check(i => x[i] + y[i] / (z[i] == 0 ? 1 : z[i]) * 0.3f, () => { var to = new float[x.Length]; TaskVectors.AddQuotient(Shifted(x, shift), y, z, 0.3f, to); return to; });
            Check(i => z[i] + (MathF.Abs(x[i]) > 0.01f ? x[i] * 0.3f : 0), () => { var to = Shifted(z, shift); TaskVectors.AddActive(x, 0.01f, 0.3f, to); return to.ToArray(); });
            Check(i => z[i] + (MathF.Abs(x[i]) > 0.01f ? 1f : 0), () => { var to = Shifted(z, shift); TaskVectors.CountActive(x, 0.01f, to); return to.ToArray(); });
            Check(i => y[i] == 1 ? x[i] : z[i], () => { var to = Shifted(z, shift); TaskVectors.TakeWhereOne(x, y, to); return to.ToArray(); });
            Check(i =>
            {
                float share = MathF.Min(MathF.Max(0.02f / MathF.Max(MathF.Abs(x[i] - y[i]), 1e-6f), 0), 1);
                return share * y[i] + (1 - share) * x[i];
            }, () => { var to = new float[x.Length]; Elementwise.MixNear(Shifted(x, shift), y, 0.02f, to); return to; });
        }
    }, damaged: false);

    [Fact]
    public void AgreeingElementsAreAddedWithTheirWeights() => ForAll((x, y, z) =>
    {
        float[] sum = [.. z], weights = [.. y];
        TaskVectors.AddAgreeing(x, y, 0.3f, sum, weights);
        bool Agrees(int i) => y[i] >= 0 ? x[i] > 0 : x[i] < 0;
        AssertSame([.. Enumerable.Range(0, x.Length).Select(i => z[i] + (Agrees(i) ? x[i] : 0))], sum);
        AssertSame([.. Enumerable.Range(0, x.Length).Select(i => y[i] + (Agrees(i) ? 0.3f : 0))], weights);
    });

    [Fact]
    public void MagnitudeKernelsCompareAsMagnitudesDo() => ForAll((x, y, z) =>
    {
        int[] keys = [.. x.Select(value => BitConverter.SingleToInt32Bits(value) & int.MaxValue)];
        var high = new long[Magnitudes.HighBins];
        Magnitudes.CountHigh(Shifted(x, 1), high);
        foreach (var group in keys.GroupBy(key => key >> 16)) Assert.Equal(group.Count(), high[group.Key]);
        Assert.Equal(x.Length, high.Sum());
        foreach (int key in keys.Append(0).Distinct())
        {
            var low = new long[Magnitudes.LowBins];
            Magnitudes.CountLow(x, key >> 16, low);
            Assert.Equal(keys.Count(each => each >> 16 == key >> 16), low.Sum());
            Assert.Equal(keys.Count(each => each == key), low[key & 0xFFFF]);
            Assert.Equal(keys.Count(each => each == key), Magnitudes.CountEqual(Shifted(x, 2), key));
            Assert.Equal(keys.Count(each => each < key), Magnitudes.CountBelow(Shifted(x, 3), key));
            foreach (bool above in (bool[])[true, false])
            {
                float[] targets = [.. y];
                Magnitudes.Clear(x, key, above, targets);
                AssertSame([.. y.Select((value, i) => keys[i] > key == above ? 0f : value)], targets);
            }
        }
    }, damaged: true);

    [Fact]
    public void UniqueAndSharedElementsAreCounted() => ForAll((x, y, z) =>
    {
        var (unique, shared) = TaskVectors.CountUnique(x, 0.01f, Shifted(y, 1));
        Assert.Equal(x.Where((value, i) => MathF.Abs(value) > 0.01f && y[i] == 1).Count(), unique);
        Assert.Equal(x.Where((value, i) => MathF.Abs(value) > 0.01f && y[i] != 1).Count(), shared);
    });

    [Fact]
    public void SumsOfEachElementAreThoseOfALoop() => ForAll((x, y, z) =>
    {
        double[] start = [.. z.Select(value => value * 1.1)], products = [.. start], sums = [.. start], squares = [.. start];
        Sums.AddProducts(Shifted(x, 1), y, products);
        Assert.Equal(start.Select((each, i) => each + (double)x[i] * y[i]), products);
        Sums.Add(x, sums);
        Assert.Equal(start.Select((each, i) => each + x[i]), sums);
        Sums.AddSquares(x, start, squares);
        Assert.Equal(start.Select((each, i) => each + (x[i] - each) * (x[i] - each)), squares);
        var rounded = new float[x.Length];
        Sums.Round(squares, 3, rounded);
        AssertSame([.. squares.Select(each => (float)(each / 3))], rounded);
        Sums.Divide(squares, 7);
        Assert.Equal(start.Select((each, i) => (each + (x[i] - each) * (x[i] - each)) / 7), squares);
    });
}
