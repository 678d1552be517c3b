using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Training;

/// <summary>
/// A new folder of files that are all written beside their names (<c>….partial</c>) and take them together at the end, in order: what is
/// cut off half-way never looks whole, and is removed where there is still someone to do it.
/// </summary>
sealed class OutputFiles : IDisposable
{
    const string Partial = ".partial";

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly string _folder;
    readonly bool _made;
    readonly List<string> _names = [];

    /// <summary>Begins; the folder must be free: <see cref="CheckFree"/>.</summary>
    public OutputFiles(string folder)
    {
        CheckFree(folder);
        _folder = folder;
        _made = !Directory.Exists(folder);
        Try(() => Directory.CreateDirectory(folder));
    }

    /// <summary>The folder must not be there, or be empty but for what a cut run left.</summary>
    public static void CheckFree(string folder)
    {
        if (File.Exists(folder)) throw new RecallException($"{folder}: is a file; a folder is expected for the output");
        if (!Directory.Exists(folder)) return;
        var held = Directory.EnumerateFileSystemEntries(folder).Select(entry => Path.GetFileName(entry))
            .FirstOrDefault(name => !name.EndsWith(Partial, StringComparison.Ordinal));
        if (held is not null)
            throw new RecallException($"{folder}: is not empty (it holds {Quoted.Of(held)}); name another folder for the output, or empty it");
    }

    /// <summary>Adds a file that is written by a function.</summary>
    public void Add(string name, Action<Stream> write) => Try(() =>
    {
        _names.Add(name);
        using var stream = new FileStream(Path.Combine(_folder, name + Partial), FileMode.Create, FileAccess.Write, FileShare.None);
        write(stream);
        stream.Flush(flushToDisk: true);
    });

    /// <summary>Adds a JSON file.</summary>
    public void AddJson(string name, JsonNode json) =>
        Add(name, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString(Indented) + "\n")));

    /// <summary>Gives the files their names, in the order in which they were added.</summary>
    public void Finish() => Try(() =>
    {
        foreach (string name in _names) File.Move(Path.Combine(_folder, name + Partial), Path.Combine(_folder, name), overwrite: true);
        _names.Clear();
    });

    void Try(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{_folder}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Removes what has not got its name.</summary>
    public void Dispose()
    {
        foreach (string name in _names) File.Delete(Path.Combine(_folder, name + Partial));
        if (_made && Directory.Exists(_folder) && !Directory.EnumerateFileSystemEntries(_folder).Any()) Directory.Delete(_folder);
    }
}
