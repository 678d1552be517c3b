using Recall.Representations;

namespace Recall.Cli.Demo;

/// <summary>The demo's made-up words: three to five letters, consonants and vowels by turns. The same ones from the same seed.</summary>
/// <param name="Training">The words that models learn from.</param>
/// <param name="HeldOut">Other words, by which they are judged.</param>
sealed record DemoWords(IReadOnlyList<string> Training, IReadOnlyList<string> HeldOut)
{
    /// <summary>Words to learn from, and to be judged by.</summary>
    public const int TrainingCount = 3000, HeldOutCount = 100;

    /// <summary>The seed of the words on which the shipped models were trained.</summary>
    public const int Seed = 7;

    /// <summary>The seed draws the held-out words; those to learn from are always those of the shipped models.</summary>
    public static DemoWords Draw(int seed)
    {
        var training = Distinct(new SplitMix64(Seed), []).Take(TrainingCount).ToList();
        var heldOut = Distinct(new SplitMix64(~(ulong)seed), [.. training]).Take(HeldOutCount).ToList();
        return new DemoWords(training, heldOut);
    }

    static IEnumerable<string> Distinct(SplitMix64 random, HashSet<string> seen)
    {
        while (true)
        {
            string word = Word(random);
            if (seen.Add(word)) yield return word;
        }
    }

    static string Word(SplitMix64 random)
    {
        int length = 3 + random.Below(3), begin = random.Below(2);
        var word = new char[length];
        for (int i = 0; i < length; i++)
        {
            string kind = (i + begin) % 2 == 0 ? DemoTask.Consonants : DemoTask.Vowels;
            word[i] = kind[random.Below(kind.Length)];
        }
        return new string(word);
    }
}
