using System.Collections.Immutable;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using Scalar = YamlDotNet.Core.Events.Scalar;

namespace Recall.Configuration.Yaml;

/// <summary>
/// Reads YAML text into <see cref="YamlNode"/> trees. Anchors, aliases and merge keys work as in PyYAML; tags other than YAML's own types are
/// refused, so that nothing in a file can ask for anything to be run.
/// </summary>
public static class YamlDocument
{
    const int LongestFile = 16 * 1024 * 1024, Deepest = 64;

    // Aliases count as often as they stand: a few lines of aliases of aliases could otherwise mean more nodes than any memory holds.
    const long MostNodes = 250_000;

    /// <summary>Reads the text of a config file: UTF-8, at most 16 MiB.</summary>
    /// <exception cref="ConfigurationException">Not there, not readable, not UTF-8, or too long.</exception>
    public static string ReadText(string path)
    {
        try
        {
            if (!File.Exists(path))
                throw new ConfigurationException(Directory.Exists(path) ? $"{path}: is a folder, not a config file" : $"{path}: no such file");
            // The length is not asked for but met while reading: pipes and devices tell none.
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            using var bytes = new MemoryStream();
            var chunk = new byte[64 * 1024];
            for (int read; (read = file.Read(chunk)) > 0;)
            {
                if (bytes.Length + read > LongestFile) throw new ConfigurationException($"{path}: is too long; a config file has at most {LongestFile} bytes");
                bytes.Write(chunk, 0, read);
            }
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true)
                .GetString(bytes.GetBuffer(), 0, (int)bytes.Length).TrimStart('\uFEFF');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}: cannot be read: {e.Message}", e);
        }
        catch (DecoderFallbackException e)
        {
            throw new ConfigurationException($"{path}: is not UTF-8 text", e);
        }
    }

    /// <summary>The documents of a text; <paramref name="file"/> stands in messages.</summary>
    /// <exception cref="ConfigurationException">Not YAML.</exception>
    public static ImmutableArray<YamlNode> ParseAll(string text, string file) =>
        [.. ParseStream(text, file).Select(document => document.Node)];

    /// <summary>The documents of a text, each with the line on which it begins: that of its <c>---</c>, where it has one.</summary>
    /// <exception cref="ConfigurationException">Not YAML.</exception>
    internal static ImmutableArray<(YamlNode Node, int Line)> ParseStream(string text, string file)
    {
        RefuseControlCharacters(text, file);
        var parser = new Parser(new TokenReader(new StringReader(text)));
        try
        {
            var documents = ImmutableArray.CreateBuilder<(YamlNode, int)>();
            parser.Consume<StreamStart>();
            while (parser.Accept<DocumentStart>(out _))
            {
                int line = (int)parser.Consume<DocumentStart>().Start.Line;
                documents.Add((new Reader(parser, file).ReadNode(0), line));
                parser.Consume<DocumentEnd>();
            }
            return documents.ToImmutable();
        }
        catch (YamlException e)
        {
            throw new ConfigurationException($"{file}:{e.Start.Line}:{e.Start.Column}: is not valid YAML: {Quoted.Plain(e.Message)}", e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // YamlDotNet 18.1 throws these for some broken texts: a plain scalar over several lines as a key, say.
            var last = parser.Current?.End ?? new Mark(0, 1, 1);
            throw new ConfigurationException($"{file}:{last.Line}:{last.Column}: is not valid YAML from here on", e);
        }
    }

    /// <summary>YAML is printable text: an escape sequence of a terminal in a name would otherwise live on in every message and output.</summary>
    static void RefuseControlCharacters(string text, string file)
    {
        int line = 1, lineStart = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\n') (line, lineStart) = (line + 1, i + 1);
            if (char.IsControl(text[i]) && text[i] is not ('\t' or '\n' or '\r' or '\u0085'))
                throw new ConfigurationException($"{file}:{line}:{i - lineStart + 1}: the control character U+{(int)text[i]:X4} cannot stand in YAML");
        }
    }

    /// <summary>The one document of a text.</summary>
    /// <exception cref="ConfigurationException">Not YAML, empty, or several documents.</exception>
    public static YamlMapping ParseMapping(string text, string file)
    {
        var documents = ParseAll(text, file);
        if (documents.Length > 1)
            throw new ConfigurationException($"{file}:{documents[1].Line}:{documents[1].Column}: holds {documents.Length} documents; one is expected "
                + "here (recall multi runs several)");
        return documents switch
        {
            [YamlMapping mapping] => mapping,
            [] or [YamlScalar { Text: "" }] => throw new ConfigurationException($"{file}: is empty"),
            [var other, ..] => throw new ConfigurationException($"{file}:{other.Line}:{other.Column}: keys and values are expected here"),
        };
    }

    sealed class Reader(Parser parser, string file)
    {
        readonly Dictionary<string, (YamlNode? Node, long Nodes)> _anchors = new(StringComparer.Ordinal);
        long _nodes;

        public YamlNode ReadNode(int depth)
        {
            if (depth > Deepest) throw Error(parser.Current!, $"nested deeper than {Deepest} levels");
            var current = parser.Current!;
            if (current is AnchorAlias alias)
            {
                parser.MoveNext();
                string name = alias.Value.Value;
                if (!_anchors.TryGetValue(name, out var anchored)) throw Error(alias, $"alias {Quoted.Of("*" + name)} has no anchor before it");
                Count(alias, anchored.Nodes);
                return anchored.Node ?? throw Error(alias, $"alias {Quoted.Of("*" + name)} stands inside its own anchor");
            }
            long before = _nodes;
            Count(current, 1);
            if (current is not NodeEvent start) throw Error(current, "a value is expected here");
            string? anchor = start.Anchor.IsEmpty ? null : start.Anchor.Value;
            if (anchor is not null) _anchors[anchor] = default;
            YamlNode read = start switch
            {
                Scalar scalar => ReadScalar(scalar),
                SequenceStart => ReadSequence(start, depth),
                MappingStart => ReadMapping(start, depth),
                _ => throw Error(start, $"unexpected {start.GetType().Name}"),
            };
            if (anchor is not null) _anchors[anchor] = (read, _nodes - before);
            return read;
        }

        void Count(ParsingEvent at, long nodes)
        {
            _nodes += nodes;
            if (_nodes > MostNodes) throw Error(at, $"holds more than {MostNodes} values, with aliases counted as often as they stand");
        }

        YamlScalar ReadScalar(Scalar scalar)
        {
            parser.MoveNext();
            bool plain = scalar.Style == ScalarStyle.Plain;
            switch (Tag(scalar))
            {
                case "" or "?": break;
                case "!" or "tag:yaml.org,2002:str": plain = false; break;
                case "tag:yaml.org,2002:int" or "tag:yaml.org,2002:float" or "tag:yaml.org,2002:bool" or "tag:yaml.org,2002:null": plain = true; break;
                default: throw TagError(scalar);
            }
            return new YamlScalar(scalar.Value, plain, (int)scalar.Start.Line, (int)scalar.Start.Column, !scalar.Anchor.IsEmpty);
        }

        YamlSequence ReadSequence(NodeEvent start, int depth)
        {
            if (Tag(start) is not ("" or "?" or "!" or "tag:yaml.org,2002:seq")) throw TagError(start);
            parser.MoveNext();
            var items = ImmutableArray.CreateBuilder<YamlNode>();
            while (parser.Current is not SequenceEnd) items.Add(ReadNode(depth + 1));
            parser.MoveNext();
            return new YamlSequence(items.ToImmutable(), (int)start.Start.Line, (int)start.Start.Column, !start.Anchor.IsEmpty);
        }

        YamlMapping ReadMapping(NodeEvent start, int depth)
        {
            if (Tag(start) is not ("" or "?" or "!" or "tag:yaml.org,2002:map")) throw TagError(start);
            parser.MoveNext();
            var entries = new List<YamlEntry>();
            var merged = new List<YamlEntry>();
            var positions = new Dictionary<string, int>(StringComparer.Ordinal);
            while (parser.Current is not MappingEnd)
            {
                var at = parser.Current!;
                if (ReadNode(depth + 1) is not YamlScalar key) throw Error(at, "a key must be text");
                var value = ReadNode(depth + 1);
                if (key is { Plain: true, Text: "<<" })
                {
                    // Own keys go before merged ones, and earlier maps of a list before later ones, wherever the merge key stands.
                    var maps = value is YamlSequence list ? list.Items : [value];
                    foreach (var map in maps)
                    {
                        if (map is not YamlMapping source) throw Error(at, "a merge key takes a mapping or a list of mappings");
                        merged.AddRange(source.Entries);
                    }
                    continue;
                }
                var entry = new YamlEntry(key.Text, key.Line, key.Column, value);
                if (positions.TryAdd(key.Text, entries.Count)) entries.Add(entry);
                else entries[positions[key.Text]] = entry;
            }
            parser.MoveNext();
            foreach (var entry in merged)
                if (positions.TryAdd(entry.Key, entries.Count)) entries.Add(entry);
            return new YamlMapping([.. entries], (int)start.Start.Line, (int)start.Start.Column, !start.Anchor.IsEmpty);
        }

        static string Tag(NodeEvent node) => node.Tag.IsEmpty ? "" : node.Tag.Value;

        ConfigurationException TagError(NodeEvent node) => Error(node, $"tag {Quoted.Of(Tag(node))} is not accepted: config files hold plain data only");

        ConfigurationException Error(ParsingEvent at, string what) => new($"{file}:{at.Start.Line}:{at.Start.Column}: {what}");
    }
}
