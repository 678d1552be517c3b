using System.Security.Cryptography;
using System.Text;
using Recall.Planning;

namespace Recall.Streaming;

/// <summary>
/// Which groups of tensors are on the disk, so that a killed merge that is started again goes on where it was. The first line is the plan's
/// fingerprint; another plan, or inputs that have changed, start afresh. Entries are written at intervals, after the data they speak of.
/// </summary>
sealed class Journal : IDisposable
{
    /// <summary>The journal's name in the output folder.</summary>
    public const string FileName = "recall.journal";

    const string NoteMark = "# ";

    readonly string _path;
    readonly Lazy<string> _fingerprint;
    readonly HashSet<int> _done = [];
    readonly List<(int Group, IReadOnlyList<string> Notes)> _pending = [];
    readonly List<string> _notes = [];
    readonly TimeSpan _interval;
    long _last = Environment.TickCount64;
    FileStream? _file;

    Journal(string path, Lazy<string> fingerprint, TimeSpan interval) => (_path, _fingerprint, _interval) = (path, fingerprint, interval);

    /// <summary>True where the journal of a killed run of the same plan was found.</summary>
    public bool Resumed { get; private set; }

    /// <summary>True where there is something to go on from.</summary>
    public bool HasEntries => _done.Count > 0;

    /// <summary>What was out of the ordinary in the groups that an earlier run has left.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>True where the group is on the disk.</summary>
    public bool IsDone(int group) => _done.Contains(group);

    /// <summary>Reads the journal that lies there, if it is of this plan; another one is deleted.</summary>
    public static Journal Open(string path, MergePlan plan)
    {
        var journal = new Journal(path, Fingerprint(plan), plan.Options.JournalInterval);
        if (!File.Exists(path)) return journal;
        string[] lines = new FileInfo(path).Length > 16 << 20 ? [] : File.ReadAllLines(path);
        if (lines.Length > 0 && lines[0] == journal._fingerprint.Value) journal.Take(lines[1..]);
        journal.Resumed = journal.HasEntries;
        if (!journal.Resumed) File.Delete(path);
        return journal;
    }

    void Take(IEnumerable<string> lines)
    {
        var notes = new List<string>();
        foreach (string line in lines)
        {
            if (line.StartsWith(NoteMark, StringComparison.Ordinal)) notes.Add(line[NoteMark.Length..]);
            // A line cut short has no full stop.
            if (!line.EndsWith('.') || !int.TryParse(line[..^1], out int group)) continue;
            _done.Add(group);
            _notes.AddRange(notes);
            notes.Clear();
        }
    }

    /// <summary>Starts afresh.</summary>
    public void Forget()
    {
        _done.Clear();
        _notes.Clear();
        Resumed = false;
        File.Delete(_path);
    }

    /// <summary>
    /// Notes a group; when the interval is over, <paramref name="flush"/> brings the data to the disk and the groups are written down.
    /// </summary>
    public void Done(int group, IReadOnlyList<string> notes, Action flush)
    {
        _pending.Add((group, notes));
        if (Environment.TickCount64 - _last < _interval.TotalMilliseconds) return;
        flush();
        if (_file is null)
        {
            _file = new FileStream(_path, FileMode.Create, FileAccess.Write, FileShare.Read);
            Line(_fingerprint.Value);
            foreach (string note in _notes) Line(NoteMark + note);
            foreach (int earlier in _done) Line($"{earlier}.");
        }
        foreach (var each in _pending)
        {
            foreach (string note in each.Notes) Line(NoteMark + note);
            Line($"{each.Group}.");
        }
        _file.Flush(flushToDisk: true);
        _done.UnionWith(_pending.Select(each => each.Group));
        _pending.Clear();
        _last = Environment.TickCount64;
    }

    void Line(string text) => _file!.Write(Encoding.UTF8.GetBytes(text + "\n"));

    /// <summary>Deletes the journal.</summary>
    public void Delete()
    {
        Dispose();
        File.Delete(_path);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    /// <summary>
    /// SHA-256 of all that decides the output's bytes: config, layout, values, and size and time of every input file. The files are looked at
    /// now; the rest cannot change and is hashed when a journal is read or written, which a merge of a few seconds never does.
    /// </summary>
    static Lazy<string> Fingerprint(MergePlan plan)
    {
        var files = plan.Tensors.SelectMany(tensor => tensor.Sources).SelectMany(source => source.Stored).Select(stored => stored.File.Path)
            .Append(plan.Options.WeightsFile).Append(plan.Weighting?.Options.Samples)
            .Concat(plan.Alignment?.Experts.SelectMany(expert => new[] { expert.Samples, expert.Card }) ?? [])
            // Tokenizers decide which row of an embedding goes where.
            .Concat(plan.Models.SelectMany(model => model.Checkpoint.Files).Select(file => file.Source));
        var seen = new List<string>();
        foreach (string? file in files.Distinct())
            if (file is not null && File.Exists(file)) seen.Add($"{file} {new FileInfo(file).Length} {File.GetLastWriteTimeUtc(file).Ticks}");
        return new Lazy<string>(() => Fingerprint(plan, seen));
    }

    static string Fingerprint(MergePlan plan, List<string> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
        Add(typeof(Journal).Assembly.GetName().Version!.ToString());
        Add(plan.Config.Text);
        foreach (var tensor in plan.Tensors)
        {
            Add($"{tensor.Name} {tensor.Shape} {tensor.DType} {tensor.Shard} {tensor.Offset} {tensor.Inputs.Seed} {tensor.WeightLayer}");
            foreach (var (name, value) in tensor.Inputs.Values.OrderBy(entry => entry.Key, StringComparer.Ordinal)) Add($"{name} {value:R}");
            foreach (var (name, values) in tensor.Inputs.PerModel.OrderBy(entry => entry.Key, StringComparer.Ordinal)) Add($"{name} {string.Join(' ', values)}");
            foreach (var stored in tensor.Sources.SelectMany(source => source.Stored)) Add($"{stored.File.Path} {stored.Offset} {stored.Length}");
        }
        foreach (string file in files) Add(file);
        return "recall " + Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
