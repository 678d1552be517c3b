using System.Collections.Immutable;
using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Architectures;

/// <summary>
/// The families that Recall knows by name: every one that mergekit knows, and some more. A new family is one entry in the file of its
/// group. Names are those of published checkpoints; their number in a layer is that of mergekit's own table.
/// </summary>
public static partial class ArchitectureTable
{
    /// <summary>A class of its own, so that the lists in the other files stand before it is filled.</summary>
    static class Known
    {
        public static readonly ImmutableArray<Architecture> Families =
            [.. Llamas, .. Decoders, .. Experts, .. StateSpaces, .. Encoders, .. Translators, .. Multimodal];
    }

    /// <summary>All families.</summary>
    public static IEnumerable<Architecture> All => Known.Families;

    /// <summary>The families for which there is a forward pass.</summary>
    public static IEnumerable<Architecture> WithBlocks => Known.Families.Where(family => family.Block is not null);

    /// <summary>
    /// The family of a config.json, by its class name, or null. Where several families have a class of that name, <c>model_type</c>
    /// decides; where it fits none of them, the family is not known.
    /// </summary>
    public static Architecture? Find(JsonObject config)
    {
        string? className = config["architectures"] is JsonArray and [JsonValue first] && first.TryGetValue(out string? name) ? name : null;
        if (className is null) return null;
        var named = Known.Families.Where(family => family.ClassNames.Contains(className)).ToList();
        if (named.Count <= 1) return named.FirstOrDefault();
        string? type = config["model_type"] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
        return named.Find(family => family.ModelType == type);
    }

    /// <summary>The two tensors of each layer that has a bias.</summary>
    static ImmutableArray<string> Biased(params string[] names) =>
        [.. names.SelectMany(name => new[] { name + ".weight", name + ".bias" })];

    static ImmutableArray<string> Weights(params string[] names) => [.. names.Select(name => name + ".weight")];

    static ImmutableArray<string> Biases(params string[] names) => [.. names.Select(name => name + ".bias")];
}
