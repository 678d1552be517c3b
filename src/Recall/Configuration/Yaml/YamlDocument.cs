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

    /// <summary>Reads the text of a config file: UTF-8, at most 16 MiB.</summary>
    /// <exception cref="ConfigurationException">Not there, not readable, not UTF-8, or too long.</exception>
    public static string ReadText(string path)
    {
        try
        {
            var info = new FileInfo(path);
            if (!info.Exists) throw new ConfigurationException(Directory.Exists(path) ? $"{path}: is a folder, not a config file" : $"{path}: no such file");
            if (info.Length > LongestFile) throw new ConfigurationException($"{path}: has {info.Length} bytes; a config file has at most {LongestFile}");
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)).TrimStart('\uFEFF');
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
    public static ImmutableArray<YamlNode> ParseAll(string text, string file)
    {
        try
        {
            var parser = new Parser(new StringReader(text));
            var documents = ImmutableArray.CreateBuilder<YamlNode>();
            parser.Consume<StreamStart>();
            while (parser.Accept<DocumentStart>(out _))
            {
                parser.Consume<DocumentStart>();
                documents.Add(new Reader(parser, file).ReadNode(0));
                parser.Consume<DocumentEnd>();
            }
            return documents.ToImmutable();
        }
        catch (YamlException e)
        {
            throw new ConfigurationException($"{file}:{e.Start.Line}:{e.Start.Column}: is not valid YAML: {e.Message}", e);
        }
    }

    /// <summary>The one document of a text.</summary>
    /// <exception cref="ConfigurationException">Not YAML, empty, or several documents.</exception>
    public static YamlMapping ParseMapping(string text, string file)
    {
        var documents = ParseAll(text, file);
        if (documents.Length > 1)
            throw new ConfigurationException($"{file}:{documents[1].Line}:{documents[1].Column}: holds {documents.Length} documents; one is expected here (recall multi runs several)");
        return documents switch
        {
            [YamlMapping mapping] => mapping,
            [] or [YamlScalar { Text: "" }] => throw new ConfigurationException($"{file}: is empty"),
            [var other, ..] => throw new ConfigurationException($"{file}:{other.Line}:{other.Column}: keys and values are expected here"),
        };
    }

    sealed class Reader(Parser parser, string file)
    {
        readonly Dictionary<string, YamlNode?> _anchors = new(StringComparer.Ordinal);

        public YamlNode ReadNode(int depth)
        {
            if (depth > Deepest) throw Error(parser.Current!, $"nested deeper than {Deepest} levels");
            var current = parser.Current!;
            if (current is AnchorAlias alias)
            {
                parser.MoveNext();
                if (!_anchors.TryGetValue(alias.Value.Value, out var node)) throw Error(alias, $"alias *{alias.Value.Value} has no anchor before it");
                return node ?? throw Error(alias, $"alias *{alias.Value.Value} stands inside its own anchor");
            }
            var start = (NodeEvent)current;
            string? anchor = start.Anchor.IsEmpty ? null : start.Anchor.Value;
            if (anchor is not null) _anchors[anchor] = null;
            YamlNode read = start switch
            {
                Scalar scalar => ReadScalar(scalar),
                SequenceStart => ReadSequence(start, depth),
                MappingStart => ReadMapping(start, depth),
                _ => throw Error(start, $"unexpected {start.GetType().Name}"),
            };
            if (anchor is not null) _anchors[anchor] = read;
            return read;
        }

        YamlScalar ReadScalar(Scalar scalar)
        {
            parser.MoveNext();
            bool plain = scalar.Style == ScalarStyle.Plain;
            string tag = scalar.Tag.IsEmpty ? "" : scalar.Tag.Value;
            switch (tag)
            {
                case "" or "?": break;
                case "!" or "tag:yaml.org,2002:str": plain = false; break;
                case "tag:yaml.org,2002:int" or "tag:yaml.org,2002:float" or "tag:yaml.org,2002:bool" or "tag:yaml.org,2002:null": plain = true; break;
                default: throw Error(scalar, $"tag {Quoted.Of(tag)} is not accepted: config files hold plain data only");
            }
            return new YamlScalar(scalar.Value, plain, (int)scalar.Start.Line, (int)scalar.Start.Column, !scalar.Anchor.IsEmpty);
        }

        YamlSequence ReadSequence(NodeEvent start, int depth)
        {
            parser.MoveNext();
            var items = ImmutableArray.CreateBuilder<YamlNode>();
            while (parser.Current is not SequenceEnd) items.Add(ReadNode(depth + 1));
            parser.MoveNext();
            return new YamlSequence(items.ToImmutable(), (int)start.Start.Line, (int)start.Start.Column, !start.Anchor.IsEmpty);
        }

        YamlMapping ReadMapping(NodeEvent start, int depth)
        {
            parser.MoveNext();
            var own = new List<YamlEntry>();
            var merged = new List<YamlEntry>();
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
                own.RemoveAll(entry => entry.Key == key.Text);
                own.Add(new YamlEntry(key.Text, key.Line, key.Column, value));
            }
            parser.MoveNext();
            foreach (var entry in merged)
                if (own.TrueForAll(known => known.Key != entry.Key)) own.Add(entry);
            return new YamlMapping([.. own], (int)start.Start.Line, (int)start.Start.Column, !start.Anchor.IsEmpty);
        }

        ConfigurationException Error(ParsingEvent at, string what) => new($"{file}:{at.Start.Line}:{at.Start.Column}: {what}");
    }
}
