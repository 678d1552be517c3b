using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;

namespace Recall.Tests.Methods;

/// <summary>Masks that the first pass keeps and masks that are drawn again are the same.</summary>
public class MaskedMergeTests
{
    [Theory]
    [InlineData(1024, 3), InlineData(577, 3), InlineData(1024, 6)]
    public void WhatIsMergedDoesNotDependOnTheRoomForMasks(int row, int others)
    {
        int count = others + 1;
        int rows = 600_000 / row;       // three tiles
        var random = new Random(3);
        var inputs = new TensorInputs
        {
            Name = "some.weight", Shape = new Shape([rows, row]), BaseIndex = 0, Seed = 4, Models = [.. Enumerable.Range(0, count)],
            ModelNames = [.. Enumerable.Range(0, count).Select(i => $"model {i}")],
        };
        var run = new MethodRun(new Della(), inputs, [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, rows * row).Select(_ => random.NextSingle()).ToArray())]);
        foreach (bool byRow in (bool[])[true, false])
        {
            float[] Merged(long room, int threads)
            {
                ImmutableArray<MaskedMerge.Vector> vectors = [.. inputs.Others.Select(i => new MaskedMerge.Vector(i, 0.5, i == 2 ? null : Mask(new CounterRandom(4, "some.weight", i))))];
                ElementMask Mask(CounterRandom numbers) => byRow ? new MagPruneMask(numbers, 0.4, 0.2, row) : new RandomMask(numbers, 0.3);
                return run.Merge(new MaskedMerge(inputs, vectors, electsSign: byRow, normalize: false, rescale: true, 1, room), threads);
            }
            float[] wanted = Merged(0, 1);
            Assert.Equal(wanted, Merged(MaskedMerge.MaskBytes, 1));
            Assert.Equal(wanted, Merged(MaskedMerge.MaskBytes, 3));
            Assert.Equal(wanted, Merged(100_000, 2));
        }
    }
}
