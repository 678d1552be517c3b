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

    readonly string _path;
    readonly Lazy<string> _fingerprint;
    readonly HashSet<int> _done = [];
    readonly List<int> _pending = [];
    readonly TimeSpan _interval;
    long _last = Environment.TickCount64;
    FileStream? _file;

    Journal(string path, Lazy<string> fingerprint, TimeSpan interval) => (_path, _fingerprint, _interval) = (path, fingerprint, interval);

    /// <summary>True where the journal of a killed run of the same plan was found.</summary>
    public bool Resumed { get; private set; }

    /// <summary>True where there is something to go on from.</summary>
    public bool HasEntries => _done.Count > 0;

    /// <summary>True where the group is on the disk.</summary>
    public bool IsDone(int group) => _done.Contains(group);

    /// <summary>Reads the journal that lies there, if it is of this plan.</summary>
    public static Journal Open(string path, MergePlan plan)
    {
        var journal = new Journal(path, Fingerprint(plan), plan.Options.JournalInterval);
        if (!File.Exists(path) || new FileInfo(path).Length > 16 << 20) return journal;
        var lines = File.ReadAllLines(path);
        if (lines.Length < 2 || lines[0] != journal._fingerprint.Value) return journal;
        foreach (string line in lines[1..])
            if (line.EndsWith('.') && int.TryParse(line[..^1], out int group)) journal._done.Add(group);     // a line cut short has no full stop
        journal.Resumed = journal.HasEntries;
        return journal;
    }

    /// <summary>Starts afresh.</summary>
    public void Forget()
    {
        _done.Clear();
        Resumed = false;
    }

    /// <summary>Notes a group; when the interval is over, <paramref name="flush"/> brings the data to the disk and the groups are written down.</summary>
    public void Done(int group, Action flush)
    {
        _pending.Add(group);
        if (Environment.TickCount64 - _last < _interval.TotalMilliseconds) return;
        flush();
        if (_file is null)
        {
            _file = new FileStream(_path, FileMode.Create, FileAccess.Write, FileShare.Read);
            Line(_fingerprint.Value);
            foreach (int earlier in _done) Line($"{earlier}.");
        }
        foreach (int each in _pending) Line($"{each}.");
        _file.Flush(flushToDisk: true);
        _done.UnionWith(_pending);
        _pending.Clear();
        _last = Environment.TickCount64;
    }

    void Line(string text) => _file!.Write(Encoding.ASCII.GetBytes(text + "\n"));

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
