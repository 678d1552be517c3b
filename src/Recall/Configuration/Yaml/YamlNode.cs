using System.Collections.Immutable;

namespace Recall.Configuration.Yaml;

/// <summary>Where something stands in a config file: for messages.</summary>
/// <param name="File">The file, as the user named it.</param>
/// <param name="Line">From 1; 0 for what stands in no file, but on a command line, say.</param>
/// <param name="Column">From 1.</param>
/// <param name="Path">The keys that lead to it: <c>models[1].parameters.weight</c>; empty at the top.</param>
public readonly record struct Place(string File, int Line, int Column, string Path)
{
    /// <summary>An error here: <c>file:line:column path: what</c>.</summary>
    public ConfigurationException Error(string what) => new(Message(what));

    /// <summary>The same text for a note that is no error.</summary>
    public string Message(string what) =>
        Line == 0 ? $"{File}: {what}" : $"{File}:{Line}:{Column}{(Path.Length == 0 ? "" : " " + Path)}: {what}";
}

/// <summary>A node of a YAML document, with its place. Immutable; aliases share the node of their anchor.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1.</param>
/// <param name="Anchored">True where the node carries an anchor.</param>
public abstract record YamlNode(int Line, int Column, bool Anchored);

/// <summary>A scalar: its text, and whether it was written plain (then YAML 1.1 decides what it is) or quoted (then it is text).</summary>
public sealed record YamlScalar(string Text, bool Plain, int Line, int Column, bool Anchored) : YamlNode(Line, Column, Anchored);

/// <summary>A list.</summary>
public sealed record YamlSequence(ImmutableArray<YamlNode> Items, int Line, int Column, bool Anchored) : YamlNode(Line, Column, Anchored);

/// <summary>A mapping with text keys, in the order of the file, merge keys (<c>&lt;&lt;</c>) resolved; of equal keys the last one counts.</summary>
public sealed record YamlMapping(ImmutableArray<YamlEntry> Entries, int Line, int Column, bool Anchored) : YamlNode(Line, Column, Anchored);

/// <summary>A key of a mapping, its place, and its value.</summary>
public sealed record YamlEntry(string Key, int Line, int Column, YamlNode Value);
