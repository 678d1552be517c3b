namespace Recall.Tests;

/// <summary>Where tests find their files: those of the repository, the large ones beside it, and fresh folders to write to.</summary>
static class Fixtures
{
    static readonly string Repository = FindRepository();

    /// <summary>A file or folder of tests/fixtures.</summary>
    public static string Path(params string[] parts) => System.IO.Path.Combine([Repository, "tests", "fixtures", .. parts]);

    /// <summary>A file or folder of the repository.</summary>
    public static string InRepository(params string[] parts) => System.IO.Path.Combine([Repository, .. parts]);

    /// <summary>
    /// A file or folder of the reference material beside the repository (or at RECALL_SHARED), which is too large or not free enough to ship:
    /// the test is skipped where it is not there.
    /// </summary>
    public static string Shared(params string[] parts)
    {
        string path = System.IO.Path.GetFullPath(System.IO.Path.Combine([SharedRoot, .. parts]));
        Assert.SkipUnless(System.IO.Path.Exists(path), $"reference material not here: {System.IO.Path.Combine(parts)}");
        return path;
    }

    /// <summary>Where the reference material would lie.</summary>
    public static string SharedRoot => Environment.GetEnvironmentVariable("RECALL_SHARED") ?? System.IO.Path.GetFullPath(System.IO.Path.Combine(Repository, "..", "shared"));

    static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder.FullName, "Recall.slnx"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("the tests run inside the repository");
    }
}

/// <summary>A fresh folder that goes with the test.</summary>
sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("recall-test-").FullName;

    public string this[params string[] parts] => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Copies a folder into this one.</summary>
    public string Copy(string source)
    {
        foreach (string folder in Directory.GetDirectories(source, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(this[System.IO.Path.GetRelativePath(source, folder)]);
        foreach (string file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
            File.Copy(file, this[System.IO.Path.GetRelativePath(source, file)]);
        return Path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
