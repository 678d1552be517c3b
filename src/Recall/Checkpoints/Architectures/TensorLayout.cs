using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>
/// Another way in which checkpoints of a family name the same tensors: without the name of the inner model before them, say
/// (<c>h.0.…</c> for <c>transformer.h.0.…</c>), or as a newer version of transformers has it.
/// </summary>
/// <param name="Prefixes">How a name begins in the table, and how it begins here; the first that fits holds.</param>
public sealed record TensorLayout(params ImmutableArray<(string Table, string Here)> Prefixes)
{
    /// <summary>What stands outside of the inner model, and keeps its name where the inner model's is left out.</summary>
    static readonly string[] Outside =
        ["lm_head.", "score.", "classifier.", "cls.", "pre_classifier.", "vocab_", "qa_outputs.", "proj_out."];

    /// <summary>From the table's name to the name here.</summary>
    public string ToHere(string name)
    {
        foreach (var (table, here) in Prefixes)
            if (table.Length > 0 && name.StartsWith(table, StringComparison.Ordinal)) return here + name[table.Length..];
        return name;
    }

    /// <summary>From the name here to the table's name.</summary>
    public string ToTable(string name)
    {
        foreach (var (table, here) in Prefixes.OrderByDescending(pair => pair.Here.Length))
        {
            if (!name.StartsWith(here, StringComparison.Ordinal)) continue;
            bool outside = here.Length == 0 && Array.Exists(Outside, start => name.StartsWith(start, StringComparison.Ordinal));
            return outside ? name : table + name[here.Length..];
        }
        return name;
    }
}
