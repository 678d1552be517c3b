using Recall.Alignment;
using Recall.Configuration;

namespace FiveAdapters;

/// <summary>What the command line says: MODE and its words, and <c>key=value</c> settings.</summary>
sealed class Settings
{
    readonly Dictionary<string, string> _values;

    public Settings(string[] args)
    {
        Words = [.. args.Where(arg => !arg.Contains('='))];
        _values = args.Where(arg => arg.Contains('=')).ToDictionary(arg => arg[..arg.IndexOf('=')], arg => arg[(arg.IndexOf('=') + 1)..]);
    }

    public string[] Words { get; }

    public string Mode => Words.ElementAtOrDefault(0) ?? "distil";

    /// <summary>The file of experts.</summary>
    public string Set => Get("set") ?? "experiments/five-adapters/set.json";

    /// <summary>The names of those that take part; null: all.</summary>
    public IReadOnlySet<string>? Only => Get("only")?.Split(',').ToHashSet();

    /// <summary>Texts an expert.</summary>
    public int Count => int.Parse(Get("count") ?? "20");

    /// <summary>Rows from which K-means chooses the texts; null: the first ones are taken.</summary>
    public int? Candidates => Get("candidates") is { } count ? int.Parse(count) : null;

    /// <summary>Prompts without their answers.</summary>
    public bool Prompts => Get("prompts") == "only";

    /// <summary>At most so many rows a task are scored.</summary>
    public int Limit => int.Parse(Get("limit") ?? "1000000");

    public AlignmentOptions Options(AlignmentKind kind) => new()
    {
        Kind = kind,
        Answers = double.Parse(Get("answers") ?? "1"),
        Ridge = Get("ridge") is { } ridge ? double.Parse(ridge) : null,
        Demand = Get("demand") is { } demand ? bool.Parse(demand) : null,
        Compute = Enum.Parse<ComputeType>(Environment.GetEnvironmentVariable("COMPUTE") ?? "float32", ignoreCase: true),
    };

    string? Get(string key) => _values.GetValueOrDefault(key);
}
