using System.Text;

namespace Recall.Representations;

/// <summary>A small text file that is there as a whole or not at all.</summary>
static class WholeFile
{
    /// <summary>Writes UTF-8 beside the path, then gives it its name.</summary>
    /// <exception cref="RecallException">The disk says no.</exception>
    public static void Write(string path, string content)
    {
        string partial = path + ".partial";
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
            using (var file = File.Create(partial)) file.Write(Encoding.UTF8.GetBytes(content));
            File.Move(partial, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{path}: cannot be written: {e.Message}", e);
        }
    }
}
