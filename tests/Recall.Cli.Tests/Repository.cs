namespace Recall.Cli.Tests;

/// <summary>Files of the repository.</summary>
static class Repository
{
    /// <summary>A file or folder of tests/fixtures.</summary>
    public static string Fixture(params string[] parts) => File(["tests", "fixtures", .. parts]);

    /// <summary>A file or folder of the repository.</summary>
    public static string File(params string[] parts)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !System.IO.File.Exists(Path.Combine(folder.FullName, "Recall.slnx"))) folder = folder.Parent;
        Assert.NotNull(folder);
        return Path.Combine([folder.FullName, .. parts]);
    }
}
