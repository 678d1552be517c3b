using System.Collections.Immutable;

namespace Recall.Extraction;

/// <summary>How an adapter is taken from a fine-tuned model; names and defaults are those of mergekit-extract-lora.</summary>
public sealed record ExtractionOptions
{
    /// <summary>The adapter's folder; it must be empty or not there.</summary>
    public required string Output { get; init; }

    /// <summary>The largest rank of a module; default 128.</summary>
    public int MaxRank { get; init; } = 128;

    /// <summary>
    /// Both factors get the roots of the singular values; otherwise A gets the values and B's columns have norm 1. Default true.
    /// </summary>
    public bool DistributeScale { get; init; } = true;

    /// <summary>
    /// Embedding and head get factors too, where both vocabularies have one size; otherwise they are held whole. Default false.
    /// </summary>
    public bool EmbedLora { get; init; }

    /// <summary>Modules to be held whole, by name or end of name.</summary>
    public ImmutableArray<string> SaveModules { get; init; } = [];

    /// <summary>Regular expressions, found anywhere in a module's name: such a module is left out.</summary>
    public ImmutableArray<string> Exclude { get; init; } = [];

    /// <summary>
    /// Regular expressions, found anywhere in a module's name: others are left out, but not embedding and head. Empty: all.
    /// </summary>
    public ImmutableArray<string> Include { get; init; } = [];

    /// <summary>Singular values up to this one are left out; default 0.</summary>
    public double SvEpsilon { get; init; }

    /// <summary>
    /// Leaves out what is no matrix of a linear layer (norms, stacked experts); otherwise it is held whole. Default false.
    /// </summary>
    public bool SkipUndecomposable { get; init; }
}

/// <summary>What became of a module.</summary>
/// <param name="Module">Its name.</param>
/// <param name="Rank">The rank of its factors; null where it is held whole.</param>
/// <param name="Lost">Of the difference's squared norm the share that the factors do not give, 0 … 1.</param>
public sealed record ExtractedModule(string Module, int? Rank, double Lost);

/// <summary>What was extracted.</summary>
/// <param name="Modules">The modules that the adapter holds, in the order of the model.</param>
/// <param name="Notes">What the user should know.</param>
public sealed record ExtractionResult(ImmutableArray<ExtractedModule> Modules, ImmutableArray<string> Notes);
