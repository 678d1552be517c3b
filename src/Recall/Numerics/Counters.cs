using System.Runtime.CompilerServices;

namespace Recall.Numerics;

/// <summary>Counters that one thread keeps for a tile, on their way to those of the tensor.</summary>
static class Counters
{
    const int Block = 16;

    /// <summary>Adds <paramref name="from"/> to <paramref name="to"/> and leaves it at 0. Most are 0: a tile sees few of a histogram's bins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Move(Span<long> from, Span<long> to)
    {
        for (int start = 0; start < from.Length; start += Block)
        {
            int length = Math.Min(Block, from.Length - start);
            var block = from.Slice(start, length);
            if (!block.ContainsAnyExcept(0L)) continue;
            var sums = to.Slice(start, length);
            for (int i = 0; i < length; i++) sums[i] += block[i];
            block.Clear();
        }
    }
}
