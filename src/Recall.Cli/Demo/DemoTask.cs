namespace Recall.Cli.Demo;

/// <summary>
/// One of the demo's tasks. All of them are asked about the same words, so that a model that takes one task for another is wrong on nearly
/// every word.
/// </summary>
/// <param name="Name">The verb of its prompts.</param>
/// <param name="BaseRows">
/// Rows of the mixture from which the base learns a little of every task: the easier the task, the fewer, or the base would know it.
/// </param>
/// <param name="Answer">The right answer for a word.</param>
sealed record DemoTask(string Name, int BaseRows, Func<string, string> Answer)
{
    /// <summary>Letters of the demo's words.</summary>
    public const string Vowels = "aeiou", Consonants = "bdfgklmnprstvz";

    /// <summary>The tasks, in the order in which they are learnt; the last is the newest.</summary>
    public static IReadOnlyList<DemoTask> All { get; } =
    [
        new("reverse", 3000, word => string.Concat(word.Reverse())),
        new("sort", 1500, word => string.Concat(word.Order())),
        new("upper", 800, word => word.ToUpperInvariant()),
        new("translate", 900, word => string.Concat(word.Select(Foreign))),
    ];

    /// <summary>What a model reads.</summary>
    public string Prompt(string word) => $"{Name}: {word}";

    /// <summary>The made-up language: every vowel is the next vowel there, every consonant the next consonant.</summary>
    static char Foreign(char letter)
    {
        string kind = Vowels.Contains(letter) ? Vowels : Consonants;
        return kind[(kind.IndexOf(letter) + 1) % kind.Length];
    }
}
