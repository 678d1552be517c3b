using System.Numerics;
using CsCheck;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

[Trait("kernel", "true")]
public class CounterRandomTests
{
    const int Many = 1 << 20;

    [Fact]
    public void NumbersAreTheSameInAnyPieces() => Gen.Select(Gen.Long[0, 1L << 40], Gen.Int[0, 70], Gen.Bool).Sample((start, length, atEdge) =>
    {
        if (atEdge) start = start / (1L << 32) * (1L << 32) + (1L << 32) - 20;      // across two blocks
        var random = new CounterRandom(1, "a", 2);
        uint[] numbers = [.. Enumerable.Range(0, length).Select(i => random[start + i])];
        float[] values = [.. Enumerable.Range(1, length)];
        random.Keep(start, 0.3, values);
        for (int i = 0; i < length; i++) Assert.Equal(numbers[i] < Math.Round(0.3 * 4294967296.0) ? i + 1 : 0, values[i]);
        const uint Surely = 1u << 30, Never = 3u << 30;
        values = [.. Enumerable.Range(1, length)];
        var (places, rest) = (new int[length], new uint[length]);
        int undecided = random.Keep(start, Surely, Never, values, places, rest);
        int[] between = [.. Enumerable.Range(0, length).Where(i => numbers[i] is >= Surely and < Never)];
        Assert.Equal(between, places[..undecided]);
        Assert.Equal(between.Select(i => numbers[i] - Surely), rest[..undecided]);
        for (int i = 0; i < length; i++) Assert.Equal(numbers[i] < Never ? i + 1 : 0, values[i]);
    });

    [Fact]
    public void SeedNameModelAndPlaceEachGiveOtherNumbers()
    {
        uint[] First(long seed, string name, int model, long start)
        {
            var random = new CounterRandom(seed, name, model);
            return [.. Enumerable.Range(0, 64).Select(i => random[start + i])];
        }
        uint[][] all = [First(1, "a", 1, 0), First(2, "a", 1, 0), First(1, "b", 1, 0), First(1, "a", 2, 0), First(1, "a", 1, 64), First(1, "a", 1, 1L << 32), First(1, "a", 1, 1L << 33)];
        Assert.Equal(all.Length * 64, all.SelectMany(numbers => numbers).Distinct().Count());
        Assert.Equal(all[0], First(1, "a", 1, 0));
    }

    [Fact]
    public void EveryByteIsUniform()
    {
        var numbers = Numbers("uniform", 0);
        for (int part = 0; part < 4; part++)
        {
            var bins = new long[256];
            foreach (uint number in numbers) bins[number >> (8 * part) & 255]++;
            double expected = Many / 256.0, chi = bins.Sum(count => (count - expected) * (count - expected) / expected);
            Assert.InRange(chi, 255 - 6 * Math.Sqrt(2 * 255), 255 + 6 * Math.Sqrt(2 * 255));
        }
    }

    [Theory]
    [InlineData(0.05), InlineData(0.5), InlineData(0.9)]
    public void NeighboursAndModelsAreIndependent(double density)
    {
        bool[] one = Mask(Numbers("independent", 0)), other = Mask(Numbers("independent", 1));
        bool[] Mask(uint[] numbers) => [.. numbers.Select(number => number < density * 4294967296.0)];
        Within(one.Count(kept => kept), density);
        Within(Enumerable.Range(0, Many).Count(i => one[i] && other[i]), density * density);
        foreach (int distance in (int[])[1, 2, 3, 16, 64, 4096, 65536])
        {
            Within(Enumerable.Range(0, Many).Count(i => one[i] && one[(i + distance) % Many]), density * density);
            Within(Enumerable.Range(0, Many).Count(i => one[i] && other[i ^ distance]), density * density);
        }
    }

    // Pairs of one mask share elements: their variance is below three times that of independent ones.
    static void Within(long count, double chance) =>
        Assert.InRange(count - Many * chance, -5 * Math.Sqrt(3 * Many * chance * (1 - chance)), 5 * Math.Sqrt(3 * Many * chance * (1 - chance)));

    [Fact]
    public void EachBitOfThePlaceTurnsHalfOfTheBits()
    {
        var random = new CounterRandom(3, "avalanche", 0);
        for (int bit = 0; bit < 20; bit++)
        {
            double turned = Enumerable.Range(0, 4096).Average(i => BitOperations.PopCount(random[i * 577] ^ random[i * 577L ^ 1L << bit]));
            Assert.InRange(turned, 15, 17);
        }
    }

    static uint[] Numbers(string name, int model)
    {
        var random = new CounterRandom(11, name, model);
        return [.. Enumerable.Range(0, Many).Select(i => random[i])];
    }

    [Fact]
    public void NormalNumbersAreTheSameInAnyPieces() => Gen.Select(Gen.Long[0, 1L << 40], Gen.Int[0, 40], Gen.Int[0, 40]).Sample((start, length, cut) =>
    {
        var random = new CounterRandom(3, "tensor", 1);
        var (whole, pieces) = (new float[length], new float[length]);
        random.AddNormal(start, 2, whole);
        cut = Math.Min(cut, length);
        random.AddNormal(start, 2, pieces.AsSpan(0, cut));
        random.AddNormal(start + cut, 2, pieces.AsSpan(cut));
        Assert.Equal(whole, pieces);
    });

    [Fact]
    public void NormalNumbersHaveTheMomentsOfTheNormalDistribution()
    {
        var values = new float[1 << 18];
        new CounterRandom(5, "tensor", 0).AddNormal(0, 3, values);
        double Moment(int power) => values.Average(value => Math.Pow(value / 3.0, power));
        double sigma = 1 / Math.Sqrt(values.Length);
        Assert.InRange(Moment(1), -5 * sigma, 5 * sigma);
        Assert.InRange(Moment(2), 1 - 5 * Math.Sqrt(2) * sigma, 1 + 5 * Math.Sqrt(2) * sigma);
        Assert.InRange(Moment(3), -5 * Math.Sqrt(15) * sigma, 5 * Math.Sqrt(15) * sigma);
        Assert.InRange(Moment(4), 3 - 5 * Math.Sqrt(96) * sigma, 3 + 5 * Math.Sqrt(96) * sigma);
        double neighbours = Enumerable.Range(0, values.Length - 1).Average(i => values[i] * values[i + 1] / 9.0);
        Assert.InRange(neighbours, -5 * sigma, 5 * sigma);
    }
}
