using System.Text;
using Recall.Configuration.Yaml;

namespace Recall.Configuration;

/// <summary>
/// A file of bakllama, from the time before merge files: <c>layer_slices</c>, a list of <c>{model, start, end, scale}</c>, becomes a merge of
/// the method passthrough; a <c>scale</c> multiplies what the slice's blocks add, by their <c>down_proj</c>.
/// </summary>
static class Bakllama
{
    const int MostLayers = 100_000;

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="float16">Writes float16; false: the type of the models.</param>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static MergeConfig Read(string path, bool float16) => Parse(YamlDocument.ReadText(path), path, float16);

    /// <summary>Reads the text of a file; <paramref name="file"/> stands in messages.</summary>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static MergeConfig Parse(string text, string file, bool float16)
    {
        var notes = new List<string>();
        var section = new YamlSection(YamlDocument.ParseMapping(text, file), file);
        var yaml = new StringBuilder("merge_method: passthrough\nslices:\n");
        var places = new List<Place>();
        foreach (var item in section.TakeList("layer_slices"))
        {
            var slice = section.Section(item);
            var node = slice.Take("model") ?? throw slice.Missing("model");
            string model = slice.TakeText("model")!;
            _ = ModelReference.Read(node, slice.At(node, "model"));
            int start = slice.TakeInteger("start", 0, MostLayers) ?? throw slice.Missing("start", "the first layer");
            int end = slice.TakeInteger("end", 0, MostLayers) ?? throw slice.Missing("end", "the layer after the last");
            if (end <= start) throw slice.Place.Error($"layers {start} to {end} (excluded) are none");
            double? scale = slice.TakeNumber("scale");
            slice.Finish(notes);
            yaml.Append($"  - sources:\n      - model: {YamlText.Of(model)}\n        layer_range: [{start}, {end}]\n");
            if (scale is { } factor) yaml.Append($"        parameters: {{scale: [{{filter: down_proj, value: {YamlText.Of(factor)}}}]}}\n");
            places.Add(slice.Place);
        }
        if (places.Count == 0) throw section.Missing("layer_slices", "a list of {model, start, end, scale}");
        foreach (string key in new[] { "embedding_source", "lm_head_source" })
        {
            if (section.Take(key) is not { } node) continue;
            notes.Add(section.At(node, key).Message(
                "is ignored, as mergekit does: the embeddings are those of the first slice's model, the head that of the last"));
        }
        section.Finish(notes);
        if (float16) yaml.Append("dtype: float16\n");
        var config = MergeConfig.Parse(yaml.ToString(), file);
        return config with
        {
            Slices =
            [
                .. config.Slices.Select((slice, i) => slice with
                {
                    Place = places[i],
                    Sources = [.. slice.Sources.Select(source => source with { Place = places[i] })],
                }),
            ],
            MethodPlace = section.Place,
            Notes = [.. notes],
        };
    }
}
