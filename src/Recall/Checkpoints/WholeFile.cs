namespace Recall.Checkpoints;

/// <summary>Files that are there whole or not at all.</summary>
static class WholeFile
{
    /// <summary>
    /// Writes a file beside its place, makes it durable and renames it, so that a reader never finds half a file. One that is there is
    /// replaced.
    /// </summary>
    /// <exception cref="RecallException">The disk refuses.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string aside = path + ".partial";
        try
        {
            using (var stream = new FileStream(aside, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Writes UTF-8 text, in a folder that is made where it is not there.</summary>
    /// <exception cref="RecallException">The disk refuses.</exception>
    public static void Write(string path, string content)
    {
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{path}: cannot be written: {e.Message}", e);
        }
        Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(content)));
    }
}
