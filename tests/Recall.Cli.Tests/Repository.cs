namespace Recall.Cli.Tests;

/// <summary>Files of the repository.</summary>
static class Repository
{
    /// <summary>A file or folder of tests/fixtures.</summary>
    public static string Fixture(params string[] parts)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Recall.slnx"))) folder = folder.Parent;
        Assert.NotNull(folder);
        return Path.Combine([folder.FullName, "tests", "fixtures", .. parts]);
    }
}
