using System.Collections.Immutable;
using Recall.Configuration.Yaml;

namespace Recall.Configuration;

/// <summary>
/// A file of several merges (mergekit-multi): one YAML document each. A document with a <c>name</c> is a model to the others, which refer to
/// it by that name wherever a model may stand; at most one has none, and gives the result.
/// </summary>
/// <param name="File">The file, as the user named it.</param>
/// <param name="Merges">The merges, each behind those that it needs; otherwise in the order of the file.</param>
public sealed record MultiConfig(string File, ImmutableArray<NamedMerge> Merges)
{
    const int MostDocuments = 1000;

    /// <summary>Reads a file.</summary>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static MultiConfig Read(string path) => Parse(YamlDocument.ReadText(path), path);

    /// <summary>Reads the text of a file; <paramref name="file"/> stands in messages.</summary>
    /// <exception cref="ConfigurationException">
    /// Also: names that are there twice, two documents without one, merges that need each other in a circle.
    /// </exception>
    public static MultiConfig Parse(string text, string file)
    {
        var documents = YamlDocument.ParseStream(text, file);
        var starts = documents.Select(document => document.Line).ToList();
        // A '---' at the end of a file opens a document without content, which means nothing.
        var contents = documents.Select((document, i) => (document.Node, Index: i))
            .Where(document => !Yaml11.IsNull(document.Node)).ToList();
        if (contents.Count == 0) throw new ConfigurationException($"{file}: is empty");
        if (contents.Count > MostDocuments)
            throw new ConfigurationException($"{file}: holds {contents.Count} documents, more than {MostDocuments}");
        var lines = text.Split('\n');
        var merges = contents.Select(content =>
        {
            int first = content.Index == 0 ? 0 : starts[content.Index] - 1;
            int end = content.Index + 1 < starts.Count ? starts[content.Index + 1] - 1 : lines.Length;
            return ReadDocument(content.Node, string.Join('\n', lines[first..end]).TrimEnd() + "\n", file);
        }).ToImmutableArray();
        CheckNames(merges);
        var names = merges.Where(merge => merge.Name is not null).Select(merge => merge.Name!).ToHashSet(StringComparer.Ordinal);
        merges = [.. merges.Select(merge => merge with { Needs = Needs(merge.Config, names) })];
        foreach (var merge in merges) CheckModels(merge, names);
        return new MultiConfig(file, InOrder(merges));
    }

    static ImmutableArray<string> Needs(MergeConfig config, HashSet<string> names) =>
        [.. Referenced(config).Select(model => model.Model.Path).Where(names.Contains).Distinct()];

    static NamedMerge ReadDocument(YamlNode node, string text, string file)
    {
        if (node is not YamlMapping mapping)
            throw new ConfigurationException($"{file}:{node.Line}:{node.Column}: keys and values are expected here");
        var section = new YamlSection(mapping, file);
        string? name = section.TakeText("name");
        var place = name is null ? section.Place : section.At(section.Take("name")!, "name");
        if (name is not null && !IsFolder(name))
            throw place.Error($"{Quoted.Of(name)} cannot be the name of a folder within the intermediate directory");
        return new NamedMerge(name, MergeConfigReader.Read(mapping, text, file), place);
    }

    static bool IsFolder(string name) =>
        !name.Split('/').Any(part => part is "" or "." or "..") && !name.Any(letter => char.IsControl(letter) || letter == '\\');

    static void CheckNames(ImmutableArray<NamedMerge> merges)
    {
        var seen = new Dictionary<string, NamedMerge>(StringComparer.Ordinal);
        NamedMerge? unnamed = null;
        foreach (var merge in merges)
        {
            var first = merge.Name is null ? unnamed : seen.GetValueOrDefault(merge.Name);
            if (first is not null)
            {
                throw merge.Place.Error(merge.Name is null
                    ? $"the document in line {first.Place.Line} has no name either; one at most gives the result, the others need a 'name'"
                    : $"the document in line {first.Place.Line} has the name {Quoted.Of(merge.Name)} too");
            }
            if (merge.Name is null) unnamed = merge;
            else seen.Add(merge.Name, merge);
        }
        foreach (var merge in seen.Values)
            if (seen.Keys.FirstOrDefault(name => merge.Name!.StartsWith(name + "/", StringComparison.Ordinal)) is { } outer)
                throw merge.Place.Error($"the folder {Quoted.Of(merge.Name!)} would lie within that of the document {Quoted.Of(outer)}");
    }

    /// <summary>A model that is neither a document nor on the disk, but nearly the name of a document, is a typing error.</summary>
    static void CheckModels(NamedMerge merge, HashSet<string> names)
    {
        foreach (var model in Referenced(merge.Config))
        {
            string path = model.Model.Path;
            if (names.Contains(path) || Path.Exists(path) || Quoted.Nearest(path, names) is not { } near) continue;
            var config = merge.Config;
            var sources = config.Slices.SelectMany(slice => slice.Sources);
            var place = config.Models.Where(entry => entry.Model == model).Select(entry => (Place?)entry.Place)
                .Concat(sources.Where(source => source.Model == model).Select(source => (Place?)source.Place))
                .FirstOrDefault() ?? merge.Place;
            throw place.Error($"there is neither a model nor a document {Quoted.Of(path)}; did you mean '{near}'?");
        }
    }

    static List<ModelReference> Referenced(MergeConfig config)
    {
        var models = new List<ModelReference>();
        config.WithModels(model =>
        {
            models.Add(model);
            return model;
        });
        return models;
    }

    static ImmutableArray<NamedMerge> InOrder(ImmutableArray<NamedMerge> merges)
    {
        var ordered = ImmutableArray.CreateBuilder<NamedMerge>();
        var way = new List<NamedMerge>();
        void Visit(NamedMerge merge)
        {
            if (ordered.Contains(merge)) return;
            int before = way.IndexOf(merge);
            if (before >= 0)
            {
                var circle = way.Skip(before).Append(merge).Select(each => Quoted.Of(each.Name!)).ToList();
                throw merge.Place.Error(circle.Count == 2
                    ? $"the merge {circle[0]} refers to itself"
                    : $"these merges need each other in a circle: {string.Join(" needs ", circle)}");
            }
            way.Add(merge);
            foreach (string name in merge.Needs) Visit(merges.First(each => each.Name == name));
            way.RemoveAt(way.Count - 1);
            ordered.Add(merge);
        }
        foreach (var merge in merges) Visit(merge);
        return ordered.ToImmutable();
    }
}

/// <summary>One document of a <see cref="MultiConfig"/>.</summary>
/// <param name="Name">What the others call it; null: it is the result.</param>
/// <param name="Config">What it merges; models that are other documents still have those names.</param>
/// <param name="Place">Where its name stands, or where it begins.</param>
public sealed record NamedMerge(string? Name, MergeConfig Config, Place Place)
{
    /// <summary>The names of the documents that it is made of.</summary>
    public ImmutableArray<string> Needs { get; init; } = [];
}
