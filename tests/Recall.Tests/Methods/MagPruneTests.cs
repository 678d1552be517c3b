using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;

namespace Recall.Tests.Methods;

/// <summary>DELLA draws another element of the row instead of computing places: how often each place is kept must be what the formula says.</summary>
[Trait("kernel", "true")]
public class MagPruneTests
{
    const int Rows = 40_000, Row = 5;

    [Fact]
    public void EachPlaceIsKeptAsOftenAsItsFormulaSaysAndIndependently()
    {
        const double Density = 0.5, Epsilon = 0.3;
        var random = new Random(2);
        var values = new float[Rows * Row];
        for (int row = 0; row < Rows; row++)
        {
            float[] order = [1, -2, 3, -4, 5];
            random.Shuffle(order);
            order.CopyTo(values, row * Row);
        }
        var method = new DellaLinear();
        var inputs = new TensorInputs
        {
            Name = "some.weight", Shape = new Shape([Rows, Row]), BaseIndex = 0, Seed = 4, Models = [0, 1], ModelNames = ["base", "model"],
            Values = ImmutableDictionary<string, double>.Empty.Add("normalize", 0).Add("rescale", 0).Add("lambda", 1),
            PerModel = ImmutableDictionary<string, ImmutableArray<double>>.Empty
                .Add("weight", [double.NaN, 1]).Add("density", [double.NaN, Density]).Add("epsilon", [double.NaN, Epsilon]),
        };
        float[] merged = new MethodRun(method, inputs, [new float[values.Length], values]).Merge();
        var kept = new bool[Rows, Row];
        for (int i = 0; i < values.Length; i++)
        {
            Assert.True(merged[i] == 0 || merged[i] == values[i]);
            kept[i / Row, (int)Math.Abs(values[i]) - 1] = merged[i] != 0;
        }
        double Chance(int place) => Density - Epsilon + 2 * Epsilon * place / (Row - 1);
        for (int place = 0; place < Row; place++)
        {
            Within(Enumerable.Range(0, Rows).Count(row => kept[row, place]), Chance(place));
            for (int other = 0; other < place; other++)
                Within(Enumerable.Range(0, Rows).Count(row => kept[row, place] && kept[row, other]), Chance(place) * Chance(other));
        }
    }

    [Fact]
    public void MasksOfRowsOfAnyLengthAreThoseOfTheFormula()
    {
        var random = new Random(8);
        foreach (int row in (int[])[1, 2, 3, 31, 63, 64, 65, 700, 1024, 1025, 3001])
        {
            foreach (int before in (int[])[0, 1, 64])
            {
                float[] x = [.. Enumerable.Range(0, 3 * row).Select(_ => random.Next(-9, 10) / 8f)], b = [.. x.Select(_ => random.Next(-9, 10) / 8f)];
                if (row > 3) (x[0], x[1], x[2]) = (-0f, float.PositiveInfinity, float.NaN);
                var (numbers, kept, sure, open, number) = (new CounterRandom(row, "rows", before), new ulong[(x.Length + 63) / 64], new ulong[1], new ulong[1], new int[1]);
                long start = (long)before * row;
                new MagPruneMask(numbers, 0.5, 0.3, row).Keep<float>(start, x, b, kept);
                for (int i = 0; i < x.Length; i++)
                {
                    numbers.Split(start + i, row == 1 ? 0.5 : 0.2, row == 1 ? 0.5 : 0.8, sure, open);
                    numbers.Numbers(start, [i], Math.Max(row - 1, 1), number);
                    int other = i / row * row + number[0];
                    if (other >= i) other++;
                    bool larger = row > 1 && Key(i) > Key(other) - (i > other ? 1 : 0);
                    Assert.Equal((sure[0] & 1) != 0 || ((open[0] & 1) != 0 && larger), (kept[i / 64] >> i % 64 & 1) != 0);
                }
                int Key(int i) => BitConverter.SingleToInt32Bits(x[i] - b[i]) & int.MaxValue;
            }
        }
    }

    static void Within(long count, double chance) =>
        Assert.InRange(count - Rows * chance, -5 * Math.Sqrt(Rows * chance * (1 - chance)), 5 * Math.Sqrt(Rows * chance * (1 - chance)));
}
