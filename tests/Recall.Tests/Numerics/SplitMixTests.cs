using System.Runtime.Intrinsics;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

[Trait("kernel", "true")]
public class SplitMixTests
{
    const ulong Golden = 0x9E37_79B9_7F4A_7C15;

    // What the generator's C source (https://prng.di.unimi.it/splitmix64.c) gives from seed 1234567.
    [Fact]
    public void ItsWordsAreThoseOfTheGenerator()
    {
        var words = new SplitMix(1234567, Golden);
        ulong[] known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821];
        Assert.Equal(known, Enumerable.Range(0, 5).Select(i => words[i]));
    }

    [Fact]
    public void EightWordsAreThoseOfTheirPlaces()
    {
        foreach (ulong gamma in (ulong[])[Golden, ulong.MaxValue, 0x1234_5678_9ABC_DEF0, 1])
        {
            var words = new SplitMix(99, gamma);
            foreach (long start in (long[])[0, 1, 5, 1L << 31, (1L << 32) - 3, 1L << 60])
            {
                var eight = words.Eight(start, words.Steps);
                var places = Vector512.Create((ulong)start) + Vector512<ulong>.Indices * Vector512.Create(3ul);
                var others = words.Eight(places);
                for (int i = 0; i < 8; i++)
                {
                    Assert.Equal(words[start + i], eight[i]);
                    Assert.Equal(words[start + 3 * i], others[i]);
                }
            }
        }
    }

    // The paper's bound: a step of few changes from bit to bit would make neighbours alike.
    [Fact]
    public void AStepOfFewChangesIsReplaced()
    {
        var (few, replaced) = (new SplitMix(5, 1), new SplitMix(5, 0xAAAA_AAAA_AAAA_AAAB));
        Assert.Equal(replaced[7], few[7]);
    }
}
