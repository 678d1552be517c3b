using System.Collections.Immutable;
using System.Globalization;

namespace Recall.Checkpoints.Architectures;

/// <summary>
/// What is known of a family of models: one entry of <see cref="ArchitectureTable"/>. Names are those of published checkpoints.
/// </summary>
/// <param name="ModelType">config.json's <c>model_type</c>.</param>
/// <param name="ClassNames">The names that config.json's <c>architectures</c> may hold.</param>
public sealed record Architecture(string ModelType, params ImmutableArray<string> ClassNames)
{
    /// <summary>
    /// Of weights that are merged by their names alone: it knows neither layers nor embeddings. The names are none that a file of weights has.
    /// </summary>
    internal static readonly Architecture Nameless = new("")
    {
        LayerPrefix = "\0", LayerCountKey = null, Embedding = "\0embedding", FinalNorm = "\0norm", Head = "\0head",
    };

    /// <summary>What stands before the layer's number in the name of a layer's tensor.</summary>
    public string LayerPrefix { get; init; } = "model.layers.";

    /// <summary>The key of config.json that holds the number of layers; null where it is not known.</summary>
    public string? LayerCountKey { get; init; } = "num_hidden_layers";

    /// <summary>The token embedding: [vocabulary, hidden].</summary>
    public string Embedding { get; init; } = "model.embed_tokens.weight";

    /// <summary>The norm after the last block.</summary>
    public string FinalNorm { get; init; } = "model.norm.weight";

    /// <summary>The language-model head: [vocabulary, hidden]; absent from checkpoints in which it is tied to the embedding.</summary>
    public string Head { get; init; } = "lm_head.weight";

    /// <summary>How its blocks compute; null where Recall has no forward pass for the family.</summary>
    public BlockTraits? Block { get; init; }

    /// <summary>The tensors that every layer must have, named behind the layer's number: <c>mlp.up_proj.weight</c>. Empty: not known.</summary>
    public ImmutableArray<string> LayerTensors { get; init; } = [];

    /// <summary>True where the family stands in the table; false where it was inferred from the names of tensors.</summary>
    public bool IsKnown => !ClassNames.IsEmpty;

    /// <summary>The layer of a tensor and its name behind the layer's number; null for tensors outside the layers.</summary>
    public (int Layer, string Suffix)? LayerOf(string name)
    {
        if (!name.StartsWith(LayerPrefix, StringComparison.Ordinal)) return null;
        int dot = name.IndexOf('.', LayerPrefix.Length);
        return dot > 0 && int.TryParse(name.AsSpan(LayerPrefix.Length, dot - LayerPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
            ? (layer, name[(dot + 1)..])
            : null;
    }

    /// <summary>The name of a layer's tensor.</summary>
    public string LayerTensor(int layer, string suffix) => $"{LayerPrefix}{layer}.{suffix}";

    /// <summary>
    /// A family that no table knows, from the names of its tensors: the layers stand behind the prefix that is most frequent before a number;
    /// embedding, norm and head are known by the names that most families use.
    /// </summary>
    public static Architecture Infer(IEnumerable<string> names)
    {
        var all = names.ToList();
        string? prefix = all.Select(PrefixOf).Where(found => found is not null).GroupBy(found => found!, StringComparer.Ordinal)
            .OrderByDescending(group => group.Count()).ThenBy(group => group.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;
        string Named(string fallback, params string[] endings) =>
            all.Find(name => endings.Any(ending => name == ending || name.EndsWith("." + ending, StringComparison.Ordinal))) ?? fallback;
        return new Architecture("")
        {
            LayerPrefix = prefix ?? "\0",
            LayerCountKey = null,
            Embedding = Named("model.embed_tokens.weight", "embed_tokens.weight", "wte.weight", "word_embeddings.weight", "tok_embeddings.weight", "embed_in.weight"),
            Head = Named("lm_head.weight", "lm_head.weight", "embed_out.weight", "output.weight"),
            FinalNorm = Named("model.norm.weight", "model.norm.weight", "ln_f.weight", "final_layer_norm.weight"),
        };
    }

    static string? PrefixOf(string name)
    {
        for (int dot = name.IndexOf('.'); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            int end = dot + 1;
            while (end < name.Length && char.IsAsciiDigit(name[end])) end++;
            if (end > dot + 1 && end < name.Length && name[end] == '.') return name[..(dot + 1)];
        }
        return null;
    }
}
