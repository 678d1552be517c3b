using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;

namespace Recall.Tests.Methods;

/// <summary>Cuts by magnitude against a sort: values of all kinds, found by the bracket, by counted round keys, and by histograms.</summary>
public class MagnitudeRanksTests
{
    public static TheoryData<string> Kinds => ["normal", "few", "zeros", "equal", "rows", "rising", "bf16"];

    static float[] Values(string kind, int count)
    {
        var random = new Random(count);
        float Normal() => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(Math.Tau * random.NextDouble()));
        return [.. Enumerable.Range(0, count).Select(i => kind switch
        {
            "normal" => Normal(),
            "few" => random.Next(-5, 6) / 64f,
            "zeros" => random.Next(3) == 0 ? Normal() : 0,
            "equal" => 0.25f,
            "rows" => Normal() * (i / TileReader.StripElements % 8 == 0 ? 1 : 100),       // what the sample sees is like nothing else
            "rising" => i * 1e-6f,
            _ => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(Normal()) & 0xFFFF_0000),
        })];
    }

    // The passes as a merge makes them, strip by strip. Returns their number.
    static int Find(MagnitudeRanks ranks, float[] values)
    {
        int pass = 0;
        for (; pass < ranks.Passes; pass++)
        {
            var counts = new long[ranks.Counts(pass)];
            int stride = pass == 0 ? ranks.Stride : 1;
            for (int start = 0; start < values.Length; start += TileReader.StripElements * stride)
                ranks.Reduce(pass, start, new PlainValues(values.AsSpan(start, Math.Min(TileReader.StripElements, values.Length - start))), counts);
            ranks.EndPass(pass, counts);
        }
        return pass;
    }

    static void AssertCut(float[] values, RankCut cut, HashSet<int> taken)
    {
        for (int start = 0; start < values.Length; start += TileReader.StripElements)
        {
            var strip = values.AsSpan(start, Math.Min(TileReader.StripElements, values.Length - start));
            var targets = new float[strip.Length];
            Array.Fill(targets, 1);
            cut.Clear(start, strip, taken: false, targets);
            for (int i = 0; i < targets.Length; i++) Assert.Equal(taken.Contains(start + i) ? 1 : 0, targets[i]);
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void CutsAreThoseOfASort(string kind)
    {
        foreach (int count in (int[])[1, 5000, 65_536, 65_537, 300_001])
        {
            float[] values = Values(kind, count);
            int[] order = [.. Enumerable.Range(0, count).OrderBy(i => MathF.Abs(values[i]))];
            int[] fromLargest = [.. Enumerable.Range(0, count).OrderByDescending(i => MathF.Abs(values[i]))];
            foreach (double share in (double[])[0.001, 0.3, 0.5, 0.99])
            {
                int take = (int)(share * count);
                // Little room leads through counted keys or histograms.
                foreach (int room in (int[])[RankBracket.MostKeys, 200])
                {
                    RankCut smallest = RankCut.Of(count, largest: false, take), largest = RankCut.Of(count, largest: true, take);
                    Find(new MagnitudeRanks(true, room, [smallest, largest]), values);
                    AssertCut(values, smallest, [.. order.Take(take)]);
                    AssertCut(values, largest, [.. fromLargest.Take(take)]);
                    if (take is 0 || take == count) continue;
                    Assert.Equal(MathF.Abs(values[order[take - 1]]), BitConverter.Int32BitsToSingle(smallest.Edge));
                    Assert.Equal(MathF.Abs(values[fromLargest[take - 1]]), BitConverter.Int32BitsToSingle(largest.Edge));
                }
                var ofNonZero = RankCut.LargestOfNonZero(count, share);
                Find(new MagnitudeRanks(true, ofNonZero), values);
                AssertCut(values, ofNonZero, [.. fromLargest.Take((int)(values.Count(value => value != 0) * share))]);
            }
        }
    }

    [Theory, InlineData("normal", 2), InlineData("zeros", 2), InlineData("bf16", 2), InlineData("rows", 4)]
    public void TheWholeTensorIsReadOnceUnlessTheSampleMisleads(string kind, int passes) =>
        Assert.InRange(Find(new MagnitudeRanks(true, RankCut.Of(1 << 20, largest: true, 1 << 19)), Values(kind, 1 << 20)), passes, passes == 2 ? 2 : 5);

    [Fact]
    public void ValuesOfFewKindsAreCountedWithoutRoomForThem() =>
        Assert.Equal(2, Find(new MagnitudeRanks(true, 1000, [RankCut.Of(1 << 20, largest: true, 1 << 19)]), Values("few", 1 << 20)));
}
