using System.Runtime.CompilerServices;

namespace Recall.Cli.Tests;

/// <summary>Output that is kept as a text file, so that a reviewer sees it: RECALL_UPDATE_GOLDEN=1 rewrites the files.</summary>
static class Expected
{
    public static void Match(string name, string text)
    {
        string path = Path.Combine(Folder(), name);
        if (Environment.GetEnvironmentVariable("RECALL_UPDATE_GOLDEN") == "1") File.WriteAllText(path, text);
        Assert.True(File.Exists(path), $"{path} is not there; RECALL_UPDATE_GOLDEN=1 writes it");
        Assert.Equal(File.ReadAllText(path), text);
    }

    static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "Expected");
}
