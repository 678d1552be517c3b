namespace Recall.Tests.Mergekit;

/// <summary>How a golden case went, for the table of docs/mergekit-cases.md: who watches is told, and nobody else.</summary>
sealed class CaseOutcome
{
    static readonly AsyncLocal<CaseOutcome?> Watched = new();

    /// <summary>Whether Recall refused to merge.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>The largest difference of a value, in units of the tolerance's scale; null: no values were compared.</summary>
    public double? Largest { get; private set; }

    /// <summary>Whether it was the result in float64 that Recall's agreed with, and not mergekit's.</summary>
    public bool IsThatOfFloat64 { get; private set; }

    /// <summary>Follows what is told from here on.</summary>
    public static CaseOutcome Watch() => Watched.Value = new CaseOutcome();

    /// <summary>Tells of a refusal.</summary>
    public static void Refused()
    {
        if (Watched.Value is { } outcome) outcome.IsRefused = true;
    }

    /// <summary>Tells of agreement with the computation in float64 alone.</summary>
    public static void AgreesWithFloat64()
    {
        if (Watched.Value is { } outcome) outcome.IsThatOfFloat64 = true;
    }

    /// <summary>Tells of a comparison.</summary>
    public static void Compared(double largest)
    {
        if (Watched.Value is { } outcome) outcome.Largest = Math.Max(outcome.Largest ?? 0, largest);
    }
}
