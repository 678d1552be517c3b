using System.Globalization;

namespace Recall.Checkpoints.Architectures;

public sealed partial record Architecture
{
    /// <summary>More places with numbered tensors than a model of several parts has.</summary>
    const int MostInferredModules = 64;

    /// <summary>
    /// A family that no table knows, from the names of its tensors. What stands before the first number of a name is a place of layers.
    /// One such place: one module, <c>default</c>. Several: a module each, named as the place is (<c>encoder.block</c>), and
    /// <c>default</c> for tensors that belong to none; the properties of layers describe the largest. Embedding, norm and head are known
    /// by the names that most families use.
    /// </summary>
    public static Architecture Infer(IEnumerable<string> names)
    {
        var all = names.ToList();
        var prefixes = all.Select(PrefixOf).Where(found => found is not null).GroupBy(found => found!, StringComparer.Ordinal)
            .OrderByDescending(group => group.Count()).ThenBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => group.Key).ToList();
        string Named(string fallback, params string[] endings) =>
            all.Find(name => endings.Any(ending => name == ending || name.EndsWith("." + ending, StringComparison.Ordinal))) ?? fallback;
        var architecture = new Architecture("")
        {
            LayerPrefix = prefixes.FirstOrDefault() ?? "",
            LayerCountKey = null,
            Embedding = Named("model.embed_tokens.weight", "embed_tokens.weight", "wte.weight", "word_embeddings.weight",
                "tok_embeddings.weight", "embed_in.weight"),
            Head = Named("lm_head.weight", "lm_head.weight", "embed_out.weight", "output.weight"),
            FinalNorm = Named("model.norm.weight", "model.norm.weight", "ln_f.weight", "final_layer_norm.weight"),
        };
        if (prefixes.Count is < 2 or > MostInferredModules) return architecture;
        return architecture with
        {
            ModuleName = prefixes[0].TrimEnd('.'),
            ModulePrefixes = [prefixes[0]],
            OtherModules =
            [
                .. prefixes.Skip(1)
                    .Select(prefix => new ArchitectureModule(prefix.TrimEnd('.')) { Prefixes = [prefix], LayerPrefix = prefix }),
                new ArchitectureModule("default"),
            ],
        };
    }

    static string? PrefixOf(string name)
    {
        for (int dot = name.IndexOf('.'); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            int end = dot + 1;
            while (end < name.Length && char.IsAsciiDigit(name[end])) end++;
            if (end > dot + 1 && end < name.Length && name[end] == '.'
                && int.TryParse(name.AsSpan(dot + 1, end - dot - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
                && layer < ArchitectureModule.MostLayers)
                return name[..(dot + 1)];
        }
        return null;
    }
}
