namespace Recall.Tests.Rules;

/// <summary>Size is a tool of design: what does not fit is two things.</summary>
public class SizeTests
{
    const int MostLines = 400, MostLinesOfTheStory = 150;

    /// <summary>A longer file says why in its first lines, in these words.</summary>
    const string Reason = "// Long because ";

    static IEnumerable<string> Sources(params string[] folders) => folders.SelectMany(folder =>
        Directory.GetFiles(Fixtures.InRepository(folder), "*.cs", SearchOption.AllDirectories).Where(file => !file.Contains("/obj/") && !file.Contains("/bin/")));

    [Fact]
    public void NoFileIsLongWithoutAReason()
    {
        var files = Sources("src", "tests", "benchmarks").ToList();
        Assert.NotEmpty(files);
        foreach (string file in files)
        {
            var lines = File.ReadAllLines(file);
            Assert.True(lines.Length <= MostLines || lines.Take(20).Any(line => line.StartsWith(Reason, StringComparison.Ordinal)),
                $"{Relative(file)} has {lines.Length} lines, more than {MostLines}: split it, or begin it with a line '{Reason}…'");
        }
    }

    [Fact]
    public void TheStoryFitsOnAScreen()
    {
        string story = Fixtures.InRepository("src", "Recall", "MergeRun.cs");
        Assert.SkipUnless(File.Exists(story), "MergeRun.cs is not written yet");
        Assert.InRange(File.ReadAllLines(story).Length, 1, MostLinesOfTheStory);
    }

    [Fact]
    public void NoFolderIsNamedForAKindOfType()
    {
        // "Models" is not among them: it is the stage of a tokenizer that Hugging Face calls so.
        string[] kinds = ["Helpers", "Interfaces", "Utils", "Utilities", "Common", "Services", "Managers", "Extensions"];
        var folders = Sources("src").Select(file => Path.GetFileName(Path.GetDirectoryName(file)!)).Distinct();
        Assert.Empty(folders.Intersect(kinds));
    }

    static string Relative(string file) => Path.GetRelativePath(Fixtures.InRepository(), file);
}
