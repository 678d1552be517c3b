namespace Recall.Benchmarks;

/// <summary>Positional arguments, <c>--name value …</c>, and what stands behind <c>--</c>.</summary>
sealed class Arguments
{
    readonly Dictionary<string, List<string>> _options = new(StringComparer.Ordinal);
    readonly List<string> _positional = [];
    readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    public List<string> Rest { get; } = [];

    public static Arguments Parse(ReadOnlySpan<string> args)
    {
        var parsed = new Arguments();
        var into = parsed._positional;
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] == "--") into = parsed.Rest;
            else if (into != parsed.Rest && args[i].StartsWith("--", StringComparison.Ordinal)) parsed._options[args[i]] = into = [];
            else into.Add(args[i]);
        }
        return parsed;
    }

    public string Positional(int index, string name) =>
        index < _positional.Count ? _positional[index] : throw new ConfigurationException($"{name} is missing; see help");

    public IReadOnlyList<string>? All(string option)
    {
        _taken.Add(option);
        return _options.GetValueOrDefault(option);
    }

    public bool Flag(string option) => All(option) is not null;

    public string? One(string option) => All(option) switch
    {
        null => null,
        [var value] => value,
        _ => throw new ConfigurationException($"{option} takes one value"),
    };

    public int Number(string option, int fallback) => One(option) is not { } text ? fallback
        : int.TryParse(text, out int number) && number > 0 ? number : throw new ConfigurationException($"{option} takes a number above 0, not '{text}'");

    public void Finish()
    {
        foreach (string option in _options.Keys)
            if (!_taken.Contains(option)) throw new ConfigurationException($"unknown option {option}; see help");
    }
}
