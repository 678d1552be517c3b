namespace Recall.Tests.Mergekit;

/// <summary>The golden cases of mergekit: all of the reference material, or, where that is not there, the few that the repository ships.
/// </summary>
static class MergekitCases
{
    /// <summary>Whether the reference material is there.</summary>
    public static bool AllAreHere => Directory.Exists(Path.Combine(Fixtures.SharedRoot, "golden", "mergekit", "cases"));

    /// <summary>The folder of cases and inputs.</summary>
    public static string Root { get; } = AllAreHere
        ? Path.GetFullPath(Path.Combine(Fixtures.SharedRoot, "golden", "mergekit"))
        : Fixtures.Path("mergekit");

    /// <summary>The cases, in the order of their names.</summary>
    public static IEnumerable<(string Name, MergekitCase Case)> Read() =>
        Directory.GetDirectories(Path.Combine(Root, "cases")).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)
            .Select(name => (name, new MergekitCase(Root, name)));

    /// <summary>A case; the test is skipped where it is not among those that are here.</summary>
    public static MergekitCase Get(string name)
    {
        Assert.SkipUnless(Directory.Exists(Path.Combine(Root, "cases", name)), $"reference material not here: golden/mergekit, {name}");
        return new MergekitCase(Root, name);
    }
}
