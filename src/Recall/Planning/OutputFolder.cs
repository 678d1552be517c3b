namespace Recall.Planning;

/// <summary>Whether the output has a place to go.</summary>
public static class OutputFolder
{
    /// <summary>The folder must be empty, or not there, or hold what a killed merge left; and the disk must have room.</summary>
    /// <exception cref="RecallException">It is in use, or too small.</exception>
    public static void Check(MergePlan plan)
    {
        string folder = plan.Options.Output;
        if (File.Exists(folder)) throw new RecallException($"{folder}: is a file; a folder is expected for the output");
        long held = 0;
        if (Directory.Exists(folder))
        {
            var other = Directory.EnumerateFileSystemEntries(folder).Select(entry => Path.GetFileName(entry))
                .FirstOrDefault(name => !name.EndsWith(".partial", StringComparison.Ordinal) && name != "recall.journal");
            if (other is not null)
                throw new RecallException($"{folder}: is not empty (it holds {Quoted.Of(other)}); name another folder for the output, or empty it");
            held = new DirectoryInfo(folder).EnumerateFiles("*.partial").Sum(file => file.Length);
        }
        long free = FreeSpace(folder);
        if (free + held < plan.Cost.OutputBytes)
            throw new RecallException($"{folder}: the output needs {plan.Cost.OutputBytes:N0} bytes, the disk has {free:N0} free");
    }

    /// <summary>The folder must be empty, or not there.</summary>
    /// <exception cref="RecallException">It is in use.</exception>
    internal static void CheckIsFree(string folder)
    {
        if (File.Exists(folder)) throw new RecallException($"{folder}: is a file; a folder is expected for the output");
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).FirstOrDefault() is { } other)
            throw new RecallException($"{folder}: is not empty (it holds {Quoted.Of(Path.GetFileName(other))}); name another folder for the output, or "
                + "empty it");
    }

    /// <summary>Free bytes of the disk that holds the folder, or its nearest parent that is there.</summary>
    public static long FreeSpace(string folder)
    {
        var place = new DirectoryInfo(Path.GetFullPath(folder));
        while (!place.Exists && place.Parent is not null) place = place.Parent;
        return new DriveInfo(place.FullName).AvailableFreeSpace;
    }
}
