using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Planning;

namespace Recall.Streaming;

/// <summary>
/// The output folder while it is written. Weights go straight to their final place in files named <c>….partial</c>, whose full length is reserved
/// before anything is merged; at the end they take their names, and config.json is written last: a half-written folder never looks like a model.
/// </summary>
sealed class OutputWriter : IDisposable
{
    const string Partial = ".partial";

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly MergePlan _plan;
    readonly Journal _journal;
    readonly ShardFile[] _files;
    readonly List<string> _finished = [];
    readonly bool _madeFolder;
    bool _done;

    OutputWriter(MergePlan plan, Journal journal, ShardFile[] files, bool madeFolder)
    {
        (_plan, _journal, _files, _madeFolder) = (plan, journal, files, madeFolder);
    }

    string Folder => _plan.Options.Output;

    /// <summary>True where a killed run of the same plan has left groups that are done.</summary>
    public bool IsResumed => _journal.Resumed;

    /// <summary>True where what is written will stay, to go on from, though the merge stops here.</summary>
    public bool IsKept => _journal.HasEntries;

    /// <summary>True where a killed run of the same plan has already merged the group.</summary>
    public bool IsDone(int group) => _journal.IsDone(group);

    /// <summary>What was out of the ordinary in the groups of earlier runs.</summary>
    public IReadOnlyList<string> EarlierNotes => _journal.Notes;

    /// <summary>Takes nothing of what a killed run has left: something that belongs to it is lost.</summary>
    public void StartAfresh() => _journal.Forget();

    /// <summary>Opens the folder: fresh, or as a killed run of the same plan left it.</summary>
    /// <exception cref="RecallException">In use, or no room on the disk.</exception>
    public static OutputWriter Open(MergePlan plan)
    {
        string folder = plan.Options.Output;
        var files = new List<ShardFile>();
        bool made = !Directory.Exists(folder);
        try
        {
            OutputFolder.Check(plan);
            Directory.CreateDirectory(folder);
            var journal = Journal.Open(Path.Combine(folder, Journal.FileName), plan);
            foreach (var shard in plan.Shards)
            {
                string path = Path.Combine(folder, shard.Name + Partial);
                bool resumed = journal.Resumed && File.Exists(path) && new FileInfo(path).Length == shard.Length;
                if (journal.Resumed && !resumed) journal.Forget();
                var handle = File.OpenHandle(path, resumed ? FileMode.Open : FileMode.Create, FileAccess.ReadWrite, FileShare.Read,
                    FileOptions.None, resumed ? 0 : shard.Length);
                files.Add(new ShardFile(Path.Combine(folder, shard.Name), handle));
                if (!resumed) RandomAccess.SetLength(handle, shard.Length);
                RandomAccess.Write(handle, shard.Header.Span, 0);
            }
            return new OutputWriter(plan, journal, [.. files], made);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            foreach (var file in files) file.Dispose();
            foreach (var shard in plan.Shards) File.Delete(Path.Combine(folder, shard.Name + Partial));
            if (made && Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            throw new RecallException($"{folder}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>A file of the weights.</summary>
    public ShardFile this[int shard] => _files[shard];

    /// <summary>A group of tensors is in its place; from time to time the journal says so, once the disk has it.</summary>
    /// <param name="group">Which one.</param>
    /// <param name="notes">What was out of the ordinary in it.</param>
    /// <param name="flush">Brings to the disk what else belongs to the group.</param>
    public void GroupDone(int group, IReadOnlyList<string>? notes = null, Action? flush = null)
    {
        lock (_journal)
        {
            _journal.Done(group, notes ?? [], () =>
            {
                foreach (var file in _files) file.Flush();
                flush?.Invoke();
            });
        }
    }

    /// <summary>Adds a text file.</summary>
    public void AddText(string name, string text) => Add(name, Encoding.UTF8.GetBytes(text));

    /// <summary>Adds a JSON file.</summary>
    public void AddJson(string name, JsonNode json) => AddText(name, json.ToJsonString(Indented) + "\n");

    /// <summary>Adds a file, byte for byte.</summary>
    public void Add(string name, ReadOnlyMemory<byte> content)
    {
        string path = Path.Combine(Folder, name);
        try
        {
            using var handle = File.OpenHandle(path + Partial, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.None, content.Length);
            RandomAccess.Write(handle, content.Span, 0);
            _finished.Add(name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Gives all files their names: weights, index, companions, and config.json last.</summary>
    public void Finish()
    {
        if (_plan.Shards.Length > 1) AddJson("model.safetensors.index.json", Index());
        if (_plan.OutputConfig.Count > 0) AddJson("config.json", _plan.OutputConfig);
        try
        {
            foreach (var file in _files) file.Dispose();
            foreach (string name in _plan.Shards.Select(shard => shard.Name).Concat(_finished.OrderBy(name => name == "config.json")))
                File.Move(Path.Combine(Folder, name + Partial), Path.Combine(Folder, name), overwrite: true);
            _journal.Delete();
            _done = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{Folder}: cannot be finished: {e.Message}", e);
        }
    }

    JsonObject Index() => new()
    {
        ["metadata"] = new JsonObject { ["total_size"] = _plan.Tensors.Sum(tensor => tensor.Length) },
        ["weight_map"] = new JsonObject(_plan.Tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal)
            .Select(tensor => KeyValuePair.Create(tensor.Name, (JsonNode?)_plan.Shards[tensor.Shard].Name))),
    };

    /// <summary>Closes the files; without <see cref="Finish"/> also deletes them, unless the journal has something to go on from.</summary>
    public void Dispose()
    {
        foreach (var file in _files) file.Dispose();
        _journal.Dispose();
        if (_done || _journal.HasEntries) return;
        foreach (string name in _plan.Shards.Select(shard => shard.Name).Concat(_finished)) File.Delete(Path.Combine(Folder, name + Partial));
        _journal.Delete();
        if (_madeFolder && !Directory.EnumerateFileSystemEntries(Folder).Any()) Directory.Delete(Folder);
    }
}
