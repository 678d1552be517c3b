using System.Collections.Immutable;

namespace Recall.Configuration.Yaml;

/// <summary>
/// A mapping being read: values are taken by key, and <see cref="Finish"/> deals with the keys that nobody took.
/// </summary>
public sealed class YamlSection
{
    readonly YamlMapping _mapping;
    readonly Dictionary<string, YamlEntry> _entries;
    readonly string _file, _path;
    readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>A section over a mapping at a key path of a file.</summary>
    public YamlSection(YamlMapping mapping, string file, string path = "")
    {
        _mapping = mapping;
        _entries = mapping.Entries.ToDictionary(entry => entry.Key, StringComparer.Ordinal);
        _file = file;
        _path = path;
    }

    /// <summary>Where the section begins.</summary>
    public Place Place => new(_file, _mapping.Line, _mapping.Column, _path);

    /// <summary>The entries, in the order of the file.</summary>
    public ImmutableArray<YamlEntry> Entries => _mapping.Entries;

    /// <summary>Where a node below a key stands.</summary>
    public Place At(YamlNode node, string key) => new(_file, node.Line, node.Column, _path.Length == 0 ? Quoted.Plain(key) : $"{_path}.{Quoted.Plain(key)}");

    /// <summary>The value of a key; null where it is absent or null.</summary>
    public YamlNode? Take(string key)
    {
        _known.Add(key);
        var value = Entry(key)?.Value;
        return Yaml11.IsNull(value) ? null : value;
    }

    /// <summary>A text, or null.</summary>
    public string? TakeText(string key) => Take(key) switch
    {
        null => null,
        YamlScalar scalar => scalar.Text,
        var node => throw At(node, key).Error("a text is expected here"),
    };

    /// <summary>One of several words, or null.</summary>
    public string? TakeWord(string key, params string[] words)
    {
        if (TakeText(key) is not { } text) return null;
        if (words.Contains(text)) return text;
        throw At(Take(key)!, key).Error($"{Quoted.Of(text)} is not one of {string.Join(", ", words)}{Suggestion(text, words)}");
    }

    /// <summary>A finite number within bounds, or null.</summary>
    public double? TakeNumber(string key, double least = double.NegativeInfinity, double most = double.PositiveInfinity)
    {
        if (Take(key) is not { } node) return null;
        if (Yaml11.Number(node) is not { } number || !double.IsFinite(number)) throw At(node, key).Error("a number is expected here");
        if (number < least || number > most) throw At(node, key).Error($"must lie between {least:R} and {most:R}, not {number:R}");
        return number;
    }

    /// <summary>A whole number within bounds, or null.</summary>
    public int? TakeInteger(string key, int least, int most)
    {
        if (TakeNumber(key, least, most) is not { } number) return null;
        return number == Math.Floor(number) ? (int)number : throw At(Take(key)!, key).Error($"a whole number is expected here, not {number:R}");
    }

    /// <summary>A truth value, or null.</summary>
    public bool? TakeBoolean(string key)
    {
        if (Take(key) is not { } node) return null;
        return Yaml11.Boolean(node) ?? Yaml11.Number(node) switch
        {
            1 => true,
            0 => false,
            _ => throw At(node, key).Error("true or false is expected here"),
        };
    }

    /// <summary>A mapping below a key, or null.</summary>
    public YamlSection? TakeSection(string key) => Take(key) switch
    {
        null => null,
        YamlMapping mapping => new YamlSection(mapping, _file, At(mapping, key).Path),
        var node => throw At(node, key).Error("keys and values are expected here"),
    };

    /// <summary>The items of a list below a key, each with its place; empty where the key is absent.</summary>
    public ImmutableArray<(YamlNode Node, Place Place)> TakeList(string key) => Take(key) switch
    {
        null => [],
        YamlSequence list => [.. list.Items.Select((item, i) => (item, At(item, $"{key}[{i}]")))],
        var node => throw At(node, key).Error("a list is expected here"),
    };

    /// <summary>An item of a list as a section of its own.</summary>
    public YamlSection Section((YamlNode Node, Place Place) item) => item.Node is YamlMapping mapping
        ? new YamlSection(mapping, _file, item.Place.Path)
        : throw item.Place.Error("keys and values are expected here");

    /// <summary>The error for a key that must be there and is not: at the key that was meant by a near one, or at the section.</summary>
    public ConfigurationException Missing(string key, string? what = null)
    {
        foreach (var entry in _mapping.Entries)
        {
            if (!_known.Contains(entry.Key) && Quoted.Nearest(entry.Key, [key]) is not null)
                return new Place(_file, entry.Line, entry.Column, _path).Error($"unknown key {Quoted.Of(entry.Key)}; did you mean '{key}'?");
        }
        return Place.Error($"key '{key}' is missing{(what is null ? "" : ": " + what)}");
    }

    /// <summary>
    /// Refuses keys that nobody took. In a mergekit file (<paramref name="notes"/> given) only those that look like a typing error of a known key are
    /// refused: mergekit ignores unknown keys, and files in use hold some, so the others are noted. Keys that only carry an anchor pass in silence.
    /// </summary>
    public void Finish(ICollection<string>? notes = null)
    {
        foreach (var entry in _mapping.Entries)
        {
            if (_known.Contains(entry.Key)) continue;
            var place = new Place(_file, entry.Line, entry.Column, _path);
            string? meant = Quoted.Nearest(entry.Key, _known);
            if (meant is not null && Entry(meant) is not null && notes is not null) meant = null;
            if (meant is not null) throw place.Error($"unknown key {Quoted.Of(entry.Key)}; did you mean '{meant}'?");
            if (notes is null) throw place.Error($"unknown key {Quoted.Of(entry.Key)}; known here: {string.Join(", ", _known.Order(StringComparer.Ordinal))}");
            if (!entry.Value.Anchored) notes.Add(place.Message($"key {Quoted.Of(entry.Key)} has no meaning here and is ignored, as mergekit does"));
        }
    }

    YamlEntry? Entry(string key) => _entries.GetValueOrDefault(key);

    static string Suggestion(string text, IEnumerable<string> words) => Quoted.Nearest(text, words) is { } near ? $"; did you mean '{near}'?" : "";
}
