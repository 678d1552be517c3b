using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Architectures;

/// <summary>
/// A part of a model that is merged by itself, with layers of its own: what <c>modules:</c> of a mergekit file names. A language model
/// is one part, <c>default</c>; a model that sees has a <c>text_decoder</c>, a <c>vision_tower</c> and what joins the two.
/// </summary>
/// <param name="Name">Its name.</param>
public sealed record ArchitectureModule(string Name)
{
    /// <summary>More layers than any model has: a larger number in a name is a part of the name.</summary>
    internal const int MostLayers = 100_000;

    /// <summary>Keys that families use for the number of layers; configs of one family are not all of one mind.</summary>
    static readonly string[] CommonCountKeys = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"];

    /// <summary>How the names of its tensors begin; of several modules the one with the longest beginning has the tensor. Empty text:
    /// any name.</summary>
    public ImmutableArray<string> Prefixes { get; init; } = [""];

    /// <summary>What stands before the layer's number in the name of a layer's tensor; empty: there are no layers.</summary>
    public string LayerPrefix { get; init; } = "";

    /// <summary>The key of config.json that holds the number of layers, with dots where it is nested; null where there is none.</summary>
    public string? LayerCountKey { get; init; }

    /// <summary>
    /// The tensors that every layer must have, named behind the layer's number; with a <c>*</c> for the number of an expert those that
    /// all models must have where one has them. Empty: not known.
    /// </summary>
    public ImmutableArray<string> LayerTensors { get; init; } = [];

    /// <summary>Tensors of a layer that a model may lack.</summary>
    public ImmutableArray<string> OptionalTensors { get; init; } = [];

    /// <summary>Tensors before the layers, beside the embedding.</summary>
    public ImmutableArray<string> Before { get; init; } = [];

    /// <summary>Tensors after the layers, beside final norm and head.</summary>
    public ImmutableArray<string> After { get; init; } = [];

    /// <summary>The layer of a tensor and its name behind the layer's number; null for tensors outside the layers.</summary>
    public (int Layer, string Suffix)? LayerOf(string name) => LayerOf(LayerPrefix, name);

    /// <summary>The name of a layer's tensor.</summary>
    public string LayerTensor(int layer, string suffix) => string.Create(CultureInfo.InvariantCulture, $"{LayerPrefix}{layer}.{suffix}");

    /// <summary>True where a model that lacks the tensor in a layer, while another model has it, is broken.</summary>
    public bool Requires(string suffix) => Fits(LayerTensors, suffix);

    /// <summary>True where the family's rules speak of the tensor of a layer, or nothing is known of the family's layers.</summary>
    public bool KnowsInLayer(string suffix) => LayerTensors.IsEmpty || Requires(suffix) || Fits(OptionalTensors, suffix);

    /// <summary>Where a config.json holds the number of layers: one place as a rule; none where it does not say.</summary>
    internal IEnumerable<(JsonObject Parent, string Key)> CountPlaces(JsonObject config)
    {
        if (LayerCountKey is null) yield break;
        string[] path = LayerCountKey.Split('.');
        // Older files of models that see have the text model's keys at the top level.
        JsonNode?[] parents = path is ["text_config", _] ? [config["text_config"], config] : path.Length == 1 ? [config] : [config[path[0]]];
        foreach (var at in parents.OfType<JsonObject>())
        {
            string? key = at.ContainsKey(path[^1]) ? path[^1]
                : CommonCountKeys.Contains(path[^1]) ? CommonCountKeys.FirstOrDefault(at.ContainsKey) : null;
            if (key is not null) yield return (at, key);
        }
    }

    internal static (int Layer, string Suffix)? LayerOf(string prefix, string name)
    {
        if (prefix.Length == 0 || !name.StartsWith(prefix, StringComparison.Ordinal)) return null;
        int dot = name.IndexOf('.', prefix.Length);
        if (dot < 0) return null;
        var number = name.AsSpan(prefix.Length, dot - prefix.Length);
        return int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int layer) && layer < MostLayers
            ? (layer, name[(dot + 1)..])
            : null;
    }

    /// <summary>The same module with its tensors named otherwise.</summary>
    internal ArchitectureModule Renamed(Func<string, string> rename) => this with
    {
        Prefixes = [.. Prefixes.Select(rename)],
        LayerPrefix = rename(LayerPrefix),
        Before = [.. Before.Select(rename)],
        After = [.. After.Select(rename)],
    };

    internal static bool Fits(ImmutableArray<string> patterns, string name)
    {
        foreach (string pattern in patterns)
            if (NamePattern.Fits(pattern, name)) return true;
        return false;
    }
}
