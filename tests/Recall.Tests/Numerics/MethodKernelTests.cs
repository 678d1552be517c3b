using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>Each kernel of the merge methods against a plain loop, bit for bit: lengths to four vectors and more, any start, special values.</summary>
[Trait("kernel", "true")]
public class MethodKernelTests
{
    static readonly float[] Special = [0f, -0f, float.Epsilon, -float.Epsilon, 1e-40f, -3e-39f, 1f, -1f, 1e-5f, 3e38f, -3e38f, 1.0000001f, 0.5f];

    delegate void Trial(float[] x, float[] y, float[] z);

    static void ForAll(Trial trial, bool damaged = false)
    {
        var random = new Random(9);
        for (int length = 0; length <= 4 * 16 + 2; length++)
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
            Check(i =>
            {
                float share = MathF.Min(MathF.Max(0.02f / MathF.Max(MathF.Abs(x[i] - y[i]), 1e-6f), 0), 1);
                return share * y[i] + (1 - share) * x[i];
            }, () => { var to = new float[x.Length]; Elementwise.MixNear(Shifted(x, shift), y, 0.02f, to); return to; });
        }
    }, damaged: false);

    // Arrays longer than the kernel is asked for, in another order.
    static float[][] Longer(params float[][] arrays) => [.. arrays.Select(array => (float[])[.. array, 7, 7])];

    [Fact]
    public void AnElectionAddsWhatAgreesWithItsWeights() => ForAll((x, y, z) =>
    {
        float[] votes = [0.5f, -1, 0.25f], scales = [0.75f, 1, 0.3f], weights = [0.3f, 0.7f, -0.1f];
        float[][] voters = [y, z, x];
        float[] sum = new float[x.Length], weight = new float[x.Length], wanted = new float[x.Length], wantedWeight = new float[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            float majority = 0;
            for (int v = 0; v < 3; v++) majority += voters[v][i] * votes[v];
            for (int v = 0; v < 3; v++)
            {
                float value = voters[v][i] * scales[v];
                if (!(majority >= 0 ? value > 0 : value < 0)) continue;
                wanted[i] += value;
                wantedWeight[i] += weights[v];
            }
        }
        TaskVectors.Elect(Longer(x, y, z), [1, 2, 0], votes, scales, weights, sum, weight);
        AssertSame(wanted, sum);
        AssertSame(wantedWeight, weight);
    }, damaged: true);

    [Fact]
    public void AnElectionOfScaledVectorsIsAddedToTheBase() => ForAll((x, y, z) =>
    {
        float[] b = [.. x.Select((value, i) => value / 2 - i)];
        float[][] voters = [y, z, x];
        foreach (float[] weights in (float[][])[[], [0.3f, 0.7f, -0.3f]])
        {
            float[] wanted = new float[x.Length], got = new float[x.Length];
            for (int i = 0; i < x.Length; i++)
            {
                float majority = 0, total = 0, divisor = 0;
                for (int v = 0; v < 3; v++) majority += voters[v][i];
                for (int v = 0; v < 3; v++)
                {
                    if (!(majority >= 0 ? voters[v][i] > 0 : voters[v][i] < 0)) continue;
                    total += voters[v][i];
                    divisor += weights.Length == 0 ? 0 : weights[v];
                }
                wanted[i] = b[i] + total / (divisor == 0 ? 1 : divisor) * 0.7f;
            }
            TaskVectors.AddElected<float>(Shifted(b, 1), Longer(x, y, z), [1, 2, 0], weights, 0.7f, got);
            AssertSame(wanted, got);
        }
    }, damaged: true);

    [Fact]
    public void ActiveElementsAreAddedAndCounted() => ForAll((x, y, z) =>
    {
        float[] factors = [1.25f, 0.75f], got = new float[x.Length], wanted = new float[x.Length];
        float[][] models = [z, y];
        var counts = new long[4];
        for (int i = 0; i < x.Length; i++)
        {
            int[] active = [.. Enumerable.Range(0, 2).Where(m => MathF.Abs(models[m][i] - x[i]) > 0.01f)];
            wanted[i] = active.Length switch
            {
                0 => x[i] + 0f,
                1 => x[i] + (models[active[0]][i] - x[i]) * factors[active[0]],
                _ => x[i] + (models[0][i] - x[i] + (models[1][i] - x[i])) / 2,
            };
            foreach (int m in active) counts[2 * m + active.Length - 1]++;
        }
        var gotCounts = new long[4];
        ActiveElements.Add(Shifted(x, 1), Longer(y, z), [1, 0], 0.01f, factors, got);
        AssertSame(wanted, got);
        ActiveElements.Add<float>(Shifted(x, 1), z, factors[0], Shifted(y, 2), factors[1], 0.01f, got);
        AssertSame(wanted, got);
        int words = ActiveElements.Words(x.Length);
        var marks = Enumerable.Repeat(ulong.MaxValue, 2 * words).ToArray();
        ActiveElements.Mark<float>(Shifted(x, 2), z, 0.01f, marks.AsSpan(0, words));
        ActiveElements.Mark<float>(x, Shifted(y, 1), 0.01f, marks.AsSpan(words));
        for (int m = 0; m < 2; m++)
            for (int i = 0; i < 64 * words; i++)
                Assert.Equal(i < x.Length && MathF.Abs(models[m][i] - x[i]) > 0.01f, (marks[m * words + i / 64] >> i % 64 & 1) == 1);
        ActiveElements.Count(marks, gotCounts);
        Assert.Equal(counts, gotCounts);
    });

    [Fact]
    public void ImportantDifferencesAreAdded() => ForAll((x, y, z) =>
    {
        foreach (float factor in (float[])[0, 0.3f, 1e-20f])
        {
            float[] scaled = [.. x.Zip(y, (one, other) => (one - other) * factor)], got = new float[x.Length];
            TaskVectors.ScaledDifference<float>(Shifted(x, 1), Shifted(y, 2), factor, got);
            AssertSame(scaled, got);
            foreach (int limit in scaled.Select(Magnitudes.Key).Append(-1).Append(int.MaxValue).Distinct())
            {
                TaskVectors.AddImportant<float>(Shifted(y, 1), Shifted(x, 3), factor, limit, got);
                AssertSame([.. x.Select((value, i) => y[i] + (Magnitudes.Key(scaled[i]) > limit ? value - y[i] : 0))], got);
            }
        }
    }, damaged: true);

    [Fact]
    public void BFloat16ValuesGiveWhatTheirFloatsGive() => ForAll((x, y, z) =>
    {
        (BFloat16[] Bits, float[] Values) Rounded(float[] values) =>
            values.Select(value => (BFloat16)value).ToArray() is var bits ? (bits, [.. bits.Select(value => (float)value)]) : default;
        var (a, b, c) = (Rounded(x), Rounded(y), Rounded(z));
        float[] wanted = new float[x.Length], got = new float[x.Length];
        void Check(Action<float[]> ofFloats, Action<float[]> ofBits)
        {
            ofFloats(wanted);
            ofBits(got);
            AssertSame(wanted, got);
        }
        Check(to => TaskVectors.ScaledDifference<float>(a.Values, b.Values, 0.3f, to), to => TaskVectors.ScaledDifference<BFloat16>(a.Bits, b.Bits, 0.3f, to));
        Check(
            to => TaskVectors.AddImportant<float>(b.Values, a.Values, 0.3f, 0x3E00_0000, to),
            to => TaskVectors.AddImportant<BFloat16>(b.Bits, a.Bits, 0.3f, 0x3E00_0000, to));
        Check(
            to => ActiveElements.Add<float>(c.Values, a.Values, 0.3f, b.Values, 0.7f, 0.01f, to),
            to => ActiveElements.Add<BFloat16>(c.Bits, a.Bits, 0.3f, b.Bits, 0.7f, 0.01f, to));
        ulong[] marks = new ulong[ActiveElements.Words(x.Length)], wantedMarks = new ulong[marks.Length];
        ActiveElements.Mark<float>(a.Values, b.Values, 0.01f, wantedMarks);
        ActiveElements.Mark<BFloat16>(a.Bits, b.Bits, 0.01f, marks);
        Assert.Equal(wantedMarks, marks);
    });

    [Fact]
    public void MagnitudeKernelsCompareAsMagnitudesDo() => ForAll((x, y, z) =>
    {
        int[] keys = [.. x.Select(value => BitConverter.SingleToInt32Bits(value) & int.MaxValue)];
        var high = new long[Magnitudes.HighBins];
        Magnitudes.CountHigh(new PlainValues(Shifted(x, 1)), high);
        foreach (var group in keys.GroupBy(key => key >> 16)) Assert.Equal(group.Count(), high[group.Key]);
        Assert.Equal(x.Length, high.Sum());
        foreach (int key in keys.Append(0).Distinct())
        {
            var low = new long[Magnitudes.LowBins];
            Magnitudes.CountLow(new PlainValues(x), key >> 16, low);
            Assert.Equal(keys.Count(each => each >> 16 == key >> 16), low.Sum());
            Assert.Equal(keys.Count(each => each == key), low[key & 0xFFFF]);
            Assert.Equal(keys.Count(each => each == key), Magnitudes.CountEqual(new PlainValues(Shifted(x, 2)), key));
            foreach (bool round in (bool[])[true, false])
            {
                int most = (int)Math.Min(key + 0x0080_0000L, int.MaxValue);
                var collected = new int[x.Length];
                var (below, within, zeros, finite) = Magnitudes.Collect(new PlainValues(Shifted(x, 3)), key, most, round, collected);
                Assert.Equal(keys.Count(each => each == 0), zeros);
                Assert.Equal(x.All(float.IsFinite), finite);
                Assert.Equal(keys.Count(each => each < key), below);
                Assert.Equal(keys.Where(each => each >= key && each <= most && (round || (each & 0xFFFF) != 0)), collected[..within]);
            }
            var digits = new long[16];
            Magnitudes.CountDigits(keys, key, 20, digits);
            Assert.Equal(Enumerable.Range(0, 16).Select(digit => keys.LongCount(each => each >= key && (each - key) >> 20 == digit)), digits);
            foreach (bool above in (bool[])[true, false])
            {
                float[] targets = [.. y];
                Magnitudes.Clear(x, key, above, targets);
                AssertSame([.. y.Select((value, i) => keys[i] > key == above ? 0f : value)], targets);
            }
        }
    }, damaged: true);

    [Fact]
    public void SumsOfEachElementAreThoseOfALoop() => ForAll((x, y, z) =>
    {
        double[] products = [.. z.Select(value => value * 1.1)], wanted = [.. products.Select((each, i) => each + (double)x[i] * y[i])];
        Sums.AddProducts(Shifted(x, 1), y, products);
        Assert.Equal(wanted, products);
        foreach (int count in (int[])[1, 2, 3])
        {
            float[][] arrays = [z, x, y];
            var variances = new float[x.Length];
            Sums.Variances(Longer(x, y, z), [.. ((int[])[2, 0, 1])[..count]], variances);
            AssertSame([.. Enumerable.Range(0, x.Length).Select(i =>
            {
                double[] values = [.. arrays[..count].Select(array => (double)array[i])];
                double mean = values.Sum() / count;
                return (float)(values.Select(value => (value - mean) * (value - mean)).Sum() / count);
            })], variances);
        }
    });
}
