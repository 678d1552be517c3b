using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

[Trait("kernel", "true")]
public class CounterRandomTests
{
    const int Many = 1 << 20;

    // The key's second generator gives four draws a word: what is kept, from the definition.
    static bool IsKept(long seed, string name, int model, long index, double probability)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {model} {name}"));
        var draws = new SplitMix(BitConverter.ToUInt64(hash, 16), BitConverter.ToUInt64(hash, 24));
        ulong number = (draws[index / 4] >> (int)(index % 4 * 16) & 0xFFFF) << 32 | new CounterRandom(seed, name, model)[index];
        return number < probability * Math.Pow(2, 48);
    }

    static bool Has(ulong[] bits, int i) => (bits[i / 64] >> i % 64 & 1) != 0;

    [Fact]
    public void WhatIsKeptIsTheSameInAnyPieces() => Gen.Select(Gen.Long[0, 1L << 40], Gen.Int[0, 200], Gen.Bool, Gen.Double[0, 1]).Sample((start, length, whole, density) =>
    {
        if (whole) start &= ~63L;
        var random = new CounterRandom(1, "a", 2);
        ulong[] kept = new ulong[(length + 63) / 64], sure = new ulong[kept.Length], open = new ulong[kept.Length];
        random.Keep(start, density, kept);
        random.Split(start, density / 2, density, sure, open);
        for (int i = 0; i < length; i++)
        {
            Assert.Equal(IsKept(1, "a", 2, start + i, density), Has(kept, i));
            Assert.Equal(IsKept(1, "a", 2, start + i, density / 2), Has(sure, i));
            Assert.Equal(Has(kept, i) && !Has(sure, i), Has(open, i));
        }
    });

    // Thresholds that 16 bits cannot tell from their neighbours: what is kept beyond those of the upper 16 bits is a share of the 2^−16 that equal them.
    [Theory]
    [InlineData(0, 0.5), InlineData(0, 0.125), InlineData(19_660, 0.8), InlineData(32_767, 0.75), InlineData(65_535, 0.5)]
    public void AProbabilityIsExactBelowTheBitsThatAreDrawnFirst(int upper, double rest)
    {
        const int Count = 1 << 24;
        ulong[] below = new ulong[Count / 64], kept = new ulong[Count / 64], next = new ulong[Count / 64];
        var random = new CounterRandom(7, "exact", 1);
        random.Keep(0, upper / 65536.0, below);
        random.Keep(0, (upper + rest) / 65536, kept);
        random.Keep(0, (upper + 1) / 65536.0, next);
        long Bits(ulong[] words) => words.Sum(word => (long)BitOperations.PopCount(word));
        long ties = Bits(next) - Bits(below), more = Bits(kept) - Bits(below);
        Assert.InRange(ties, 256 - 5 * 16, 256 + 5 * 16);
        double deviation = Math.Sqrt(256 * rest);
        Assert.InRange(more, 256 * rest - 5 * deviation, 256 * rest + 5 * deviation);
        Assert.True(more > 0 && more < ties);
        for (int i = 0; i < Count; i++)
            if (Has(next, i) && !Has(below, i)) Assert.Equal(random[i] < rest * 4294967296.0, Has(kept, i));
    }

    [Fact]
    public void NothingIsKeptWithProbability0AndAllWith1()
    {
        var kept = new ulong[20];
        var random = new CounterRandom(1, "a", 2);
        random.Keep(5, 0, kept);
        Assert.All(kept, word => Assert.Equal(0ul, word));
        random.Keep(5, 1, kept);
        Assert.All(kept, word => Assert.Equal(ulong.MaxValue, word));
        random.Keep(5, 1, []);
    }

    [Fact]
    public void NumbersOfPlacesAreBelowTheirLimitAndUniform()
    {
        var random = new CounterRandom(2, "a", 0);
        for (int length = 0; length < 40; length++)
        {
            int[] places = [.. Enumerable.Range(0, length).Select(i => i * i)], numbers = new int[length];
            random.Numbers(1L << 33, places, 1000, numbers);
            var one = new int[1];
            for (int i = 0; i < length; i++)
            {
                random.Numbers(1L << 33, [places[i]], 1000, one);
                Assert.Equal(one[0], numbers[i]);
            }
        }
        var many = new int[Many];
        random.Numbers(0, [.. Enumerable.Range(0, Many)], 100, many);
        var counts = many.GroupBy(number => number).ToDictionary(group => group.Key, group => group.Count());
        Assert.Equal(Enumerable.Range(0, 100), counts.Keys.Order());
        double expected = Many / 100.0, chi = counts.Values.Sum(count => (count - expected) * (count - expected) / expected);
        Assert.InRange(chi, 99 - 6 * Math.Sqrt(2 * 99), 99 + 6 * Math.Sqrt(2 * 99));
    }

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
        bool[] one = Mask(0), other = Mask(1);
        bool[] Mask(int model)
        {
            var bits = new ulong[Many / 64];
            new CounterRandom(11, "independent", model).Keep(0, density, bits);
            return [.. Enumerable.Range(0, Many).Select(i => Has(bits, i))];
        }
        Within(one.Count(kept => kept), density);
        Within(Enumerable.Range(0, Many).Count(i => one[i] && other[i]), density * density);
        foreach (int distance in (int[])[1, 2, 3, 4, 16, 64, 4096, 65536])
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
