using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>
/// Kernels that compute task vectors as they go, against plain loops, bit for bit: lengths to three vectors and more, any start, float32 and bfloat16,
/// numbers whose differences float32 holds and such as it does not.
/// </summary>
[Trait("kernel", "true")]
public class KeptVectorsTests
{
    // All are bfloat16 numbers; 3e38 less its negative is an infinity.
    static readonly float[] Special = [0f, -0f, 1e-40f, -1e-40f, 1f, -1f, 1e-5f, 3e38f, -3e38f, 0.5f, 1e-20f, 65536f, 1.25e-12f];
    static readonly KeptKeys[] Kept =
        [KeptKeys.All, KeptKeys.None, new(1, int.MaxValue), new(Magnitudes.Key(0.5f), int.MaxValue), new(Magnitudes.Key(0.1f), Magnitudes.Key(1f))];

    delegate void Kernel<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> u, ReadOnlySpan<T> v, Span<float> y);

    delegate float[] Formula(float[] b, float[][] models);

    static float[] Values(Random random, int length, bool damaged) =>
        [.. Enumerable.Range(0, length).Select(_ => Rounded(random.Next(6) switch
        {
            0 when damaged => random.Next(3) switch { 0 => float.NaN, 1 => float.PositiveInfinity, _ => float.NegativeInfinity },
            1 => Special[random.Next(Special.Length)],
            2 => (float)(random.NextDouble() - 0.5),
            _ => random.Next(-50, 51) / 32f,
        }))];

    static float Rounded(float value) => (float)(BFloat16)value;

    static void Check(Formula formula, Kernel<float> wide, Kernel<BFloat16> stored, bool damaged = false)
    {
        var random = new Random(5);
        for (int length = 0; length <= 3 * 32 + 1; length++)
        {
            for (int shift = 0; shift < 3; shift++)
            {
                float[] b = Values(random, length, damaged);
                float[][] models = [.. Enumerable.Range(0, 4).Select(_ => Values(random, length, damaged))];
                uint[] wanted = Samples.Bits(formula(b, models));
                float[] got = new float[length], gotStored = new float[length];
                wide(Shifted(b), Shifted(models[0]), Shifted(models[1]), Shifted(models[2]), Shifted(models[3]), got);
                Assert.Equal(wanted, Samples.Bits(got));
                stored(Codes(b), Codes(models[0]), Codes(models[1]), Codes(models[2]), Codes(models[3]), gotStored);
                Assert.Equal(wanted, Samples.Bits(gotStored));

                ReadOnlySpan<float> Shifted(float[] values) => Samples.Unaligned<float>(values, shift);
                ReadOnlySpan<BFloat16> Codes(float[] values) => Samples.Unaligned<BFloat16>(values.Select(value => (BFloat16)value).ToArray(), shift);
            }
        }
    }

    [Fact]
    public void ValuesThatLieNowhereAreComputed()
    {
        Check((b, models) => [.. b.Select((origin, i) => models[0][i] - origin)],
            (b, x, _, _, _, y) => All(new Differences<float>(x, b), y), (b, x, _, _, _, y) => All(new Differences<BFloat16>(x, b), y), damaged: true);
        Check((b, models) => [.. b.Select((origin, i) => Variance(models[0][i] - origin, models[1][i] - origin))],
            (b, x, z, _, _, y) => All(new VectorPair<float>(x, z, b), y), (b, x, z, _, _, y) => All(new VectorPair<BFloat16>(x, z, b), y), damaged: true);

        static void All<TValues>(TValues values, Span<float> y) where TValues : IValues<TValues>, allows ref struct
        {
            Assert.Equal(y.Length, values.Length);
            for (int i = 0; i < y.Length; i++) y[i] = values.One((nuint)i);
            var sixteen = new float[16];
            for (int i = 0; i + 16 <= y.Length; i++)
            {
                System.Runtime.Intrinsics.Vector512.StoreUnsafe(values.Sixteen((nuint)i), ref sixteen[0]);
                Assert.Equal(Samples.Bits(y.Slice(i, 16)), Samples.Bits(sixteen));
                Assert.Equal(Samples.Bits(y.Slice(i, 1)), Samples.Bits([values.Slice(i, y.Length - i).One(0)]));
            }
            for (int i = 0; i + 32 <= y.Length; i++)
            {
                var (first, second) = values.Pair((nuint)i);
                for (int k = 0; k < 16; k++)
                {
                    Assert.Equal(Samples.Bits(y.Slice(i + TValues.Order[2 * k], 1)), Samples.Bits([first[k]]));
                    Assert.Equal(Samples.Bits(y.Slice(i + TValues.Order[2 * k + 1], 1)), Samples.Bits([second[k]]));
                }
            }
        }
    }

    [Fact]
    public void FewKeysAreCollectedAsAllAre()
    {
        foreach (var (low, high) in new (float, float)[] { (0, 0), (0.1f, 0.2f), (0.5f, 0.5f), (1e-40f, 0.03f), (1, float.PositiveInfinity), (3, 3) })
        {
            int first = Magnitudes.Key(low) & ~0xFFFF, last = Magnitudes.Key(high) | 0xFFFF;
            Check((b, _) => new float[b.Length], (b, x, z, _, _, _) => Few(new Differences<float>(x, b), new VectorPair<float>(x, z, b), new PlainValues(x)),
                (b, x, z, _, _, _) => Few(new Differences<BFloat16>(x, b), new VectorPair<BFloat16>(x, z, b), default), damaged: true);

            void Few<TOne, TOther>(TOne one, TOther other, PlainValues third)
                where TOne : IValues<TOne>, allows ref struct where TOther : IValues<TOther>, allows ref struct
            {
                Same(one);
                Same(other);
                Same(third);
            }

            void Same<TValues>(TValues values) where TValues : IValues<TValues>, allows ref struct
            {
                int[] all = new int[values.Length], few = new int[values.Length];
                var wanted = Magnitudes.Collect(values, first, last, round: true, all);
                Assert.Equal(wanted, Magnitudes.CollectFew(values, first, last, zeros: true, few));
                Assert.Equal(all.Order(), few.Order());
                Array.Clear(few);
                var (below, within, _, finite) = Magnitudes.CollectFew(values, first, last, zeros: false, few);
                Assert.Equal((wanted.Below, wanted.Within, wanted.Finite), (below, within, finite));
                Assert.Equal(all.Order(), few.Order());
            }
        }
    }

    // Beyond what places of sixteen bits could tell, and where an edge is no upper half, the other kernel does it.
    [Theory]
    [InlineData(100_000, 0x3F00_0000, 0x3F7F_FFFF)]
    [InlineData(4096, 0x3F00_0001, 0x3F7F_FFFF)]
    [InlineData(4096, 0x3F00_0000, 0x3F70_0000)]
    public void FewKeysOfAnyLengthAndRangeAreCollected(int length, int low, int high)
    {
        float[] values = [.. Samples.Floats(length).Select(value => value % 2)];
        int[] all = new int[length], few = new int[length];
        Assert.Equal(Magnitudes.Collect(new PlainValues(values), low, high, round: true, all),
            Magnitudes.CollectFew(new PlainValues(values), low, high, zeros: true, few));
        Assert.Equal(all.Order(), few.Order());
    }

    static float Variance(float one, float other)
    {
        double difference = (double)one - other;
        return (float)(difference * difference / 4);
    }

    // What float32 cannot hold of a difference is not lost: here float32 arithmetic would give other squares.
    [Fact]
    public void VariancesAreRoundedOnce()
    {
        float[] x = new float[16], z = new float[16], b = new float[16], got = new float[16];
        Array.Fill(x, 1f);
        Array.Fill(z, 3e-8f);
        System.Runtime.Intrinsics.Vector512.StoreUnsafe(new VectorPair<float>(x, z, b).Sixteen(0), ref got[0]);
        Assert.All(got, value => Assert.Equal((float)((1 - (double)3e-8f) * (1 - (double)3e-8f) / 4), value));
        Assert.NotEqual((1 - 3e-8f) * (1 - 3e-8f) / 4, got[0]);
    }

    [Fact]
    public void KeptPartsAreAdded()
    {
        foreach (var (one, other) in Kept.Zip(Kept.Reverse()))
        {
            float[] Sum(float[] b, float[][] models, bool two) =>
                [.. b.Select((origin, i) => 1 + one.Of(models[0][i] - origin) * 0.3f + (two ? other.Of(models[1][i] - origin) * -1.7f : 0))];
            Check((b, models) => Sum(b, models, two: true), Two, Two, damaged: true);
            Check((b, models) => Sum(b, models, two: false), One, One, damaged: true);

            void Two<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> u, ReadOnlySpan<T> v, Span<float> y) where T : unmanaged
            {
                y.Fill(1);
                KeptVectors.AddScaled(x, 0.3f, one, z, -1.7f, other, b, y);
            }

            void One<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> u, ReadOnlySpan<T> v, Span<float> y) where T : unmanaged
            {
                y.Fill(1);
                KeptVectors.AddScaled(x, 0.3f, one, [], 0, default, b, y);
            }
        }
    }

    [Fact]
    public void AnElectionOfKeptPartsIsThatOfWholeVectors()
    {
        foreach (bool normalize in (bool[])[true, false])
        {
            for (int count = 1; count <= KeptVectors.MostVoters; count++)
            {
                Voter[] voters = [.. ((Voter[])[new(0.5f, 0.3f, Kept[3]), new(-1, 0.7f, Kept[4]), new(0.75f, -0.3f, Kept[0]), new(0.3f, 1, Kept[2])])[..count]];
                Check((b, models) => Elected(b, models, voters, normalize), Elect, Elect);

                void Elect<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> u, ReadOnlySpan<T> v, Span<float> y)
                    where T : unmanaged => KeptVectors.AddElected(
                        b, x, voters.Length > 1 ? z : [], voters.Length > 2 ? u : [], voters.Length > 3 ? v : [], voters, normalize, 0.7f, y);
            }
        }
    }

    // By the kernels for vectors that lie in memory.
    static float[] Elected(float[] b, float[][] models, Voter[] voters, bool normalize)
    {
        float[] sum = new float[b.Length], weight = new float[b.Length];
        float[][] vectors = [.. voters.Select((voter, m) => b.Select((origin, i) => voter.Kept.Of(models[m][i] - origin)).ToArray())];
        float[] scales = [.. voters.Select(voter => voter.Scale)];
        TaskVectors.Elect(vectors, [.. Enumerable.Range(0, voters.Length)], scales, scales, [.. voters.Select(voter => voter.Weight)], sum, weight);
        if (!normalize) Array.Fill(weight, 1);
        TaskVectors.AddQuotient(b, sum, weight, 0.7f, sum);
        return sum;
    }

    [Fact]
    public void APairIsElectedAndSummedWhereItsVarianceIsKept()
    {
        foreach (var kept in Kept)
        {
            Check((b, models) =>
            {
                float[] sum = new float[b.Length], weight = new float[b.Length];
                var pair = Pair(b, models, kept);
                TaskVectors.Elect(pair, [0, 1], [1, 1], [0.3f, 0.7f], [0.3f, 0.7f], sum, weight);
                Elementwise.AtLeast(weight, 0.01f);
                TaskVectors.AddQuotient(b, sum, weight, 1, sum);
                return sum;
            }, Elect, Elect);
            Check((b, models) =>
            {
                float[] y = new float[b.Length];
                var pair = Pair(b, models, kept);
                if (b.Length > 1) (y[0], y[1]) = ((float)Squares(pair[0]), (float)Squares(pair[1]));
                return y;
            }, Square, Square);

            void Elect<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> u, ReadOnlySpan<T> v, Span<float> y) where T : unmanaged =>
                new VectorPair<T>(x, z, b).AddElected(kept, 0.3f, 0.7f, 0.01f, y);

            void Square<T>(ReadOnlySpan<T> b, ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> u, ReadOnlySpan<T> v, Span<float> y) where T : unmanaged
            {
                var (first, second) = new VectorPair<T>(x, z, b).Squares(kept);
                if (y.Length > 1) (y[0], y[1]) = ((float)first, (float)second);
            }
        }

        static float[][] Pair(float[] b, float[][] models, KeptKeys kept)
        {
            bool[] selected = [.. b.Select((origin, i) => kept.Has(Variance(models[0][i] - origin, models[1][i] - origin)))];
            return [.. models[..2].Select(model => b.Select((origin, i) => selected[i] ? model[i] - origin : 0).ToArray())];
        }
    }

    // In runs of 64 sixteen lanes of four squares each, added in float32; both halves of the lanes are added first, then what is left.
    static double Squares(float[] values)
    {
        int whole = values.Length / 64 * 64;
        var lanes = new double[16];
        for (int run = 0; run < whole; run += 64)
        {
            for (int lane = 0; lane < 16; lane++)
            {
                float sum = 0;
                foreach (int i in (int[])[2 * lane, 2 * lane + 1, 2 * lane + 32, 2 * lane + 33]) sum += values[run + i] * values[run + i];
                lanes[lane] += sum;
            }
        }
        double total = 0;
        for (int lane = 0; lane < 8; lane++) total += lanes[lane] + lanes[lane + 8];
        if (!double.IsFinite(total)) (whole, total) = (0, 0);
        return values[whole..].Aggregate(total, (sum, value) => sum + (double)value * value);
    }
}
