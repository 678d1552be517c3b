namespace Recall.Cli.Demo;

/// <summary>The folder that the demo writes.</summary>
static class DemoFolder
{
    /// <summary>What is there already is never written over.</summary>
    /// <exception cref="RecallException">A file, or a folder that holds something.</exception>
    public static void RequireFree(string folder)
    {
        if (File.Exists(folder)) throw new RecallException($"{folder}: is a file; name a folder that is new or empty");
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new RecallException($"{folder}: is not empty; name a folder that is new or empty: recall demo --out FOLDER");
    }
}
