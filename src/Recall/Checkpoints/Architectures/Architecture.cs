using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>
/// What is known of a family of models: one entry of <see cref="ArchitectureTable"/>. Names are those of published checkpoints.
/// </summary>
/// <param name="ModelType">config.json's <c>model_type</c>.</param>
/// <param name="ClassNames">The names that config.json's <c>architectures</c> may hold.</param>
public sealed partial record Architecture(string ModelType, params ImmutableArray<string> ClassNames)
{
    /// <summary>Of weights that are merged by their names alone: it knows neither layers nor embeddings.</summary>
    internal static readonly Architecture Nameless = new("")
    {
        LayerPrefix = "", LayerCountKey = null, Embedding = "", FinalNorm = "", Head = "",
    };

    /// <summary>The name of the module that the properties of layers describe: the language model of a model with several
    /// modules.</summary>
    public string ModuleName { get; init; } = "default";

    /// <summary>How the names of that module's tensors begin; empty text, the default: whatever no other module has.</summary>
    public ImmutableArray<string> ModulePrefixes { get; init; } = [""];

    /// <summary>What stands before the layer's number in the name of a layer's tensor; empty: there are no layers.</summary>
    public string LayerPrefix { get; init; } = "model.layers.";

    /// <summary>The key of config.json that holds the number of layers, with dots where it is nested; null where it is not known.</summary>
    public string? LayerCountKey { get; init; } = "num_hidden_layers";

    /// <summary>The token embedding: [vocabulary, hidden].</summary>
    public string Embedding { get; init; } = "model.embed_tokens.weight";

    /// <summary>The table of positions, [positions, hidden], that is added to the embeddings; empty: positions are rotary, or none.</summary>
    public string Positions { get; init; } = "";

    /// <summary>The norm after the last block; empty: there is none.</summary>
    public string FinalNorm { get; init; } = "model.norm.weight";

    /// <summary>True where some models of the family have no norm after the last block.</summary>
    public bool FinalNormMayLack { get; init; }

    /// <summary>
    /// The language-model head: [vocabulary, hidden]; absent from checkpoints in which it is tied to the embedding. Of classifiers their
    /// own head.
    /// Empty: there is none.
    /// </summary>
    public string Head { get; init; } = "lm_head.weight";

    /// <summary>False where the head of a model that has none is not its embedding: classifiers.</summary>
    public bool HeadMayBeTied { get; init; } = true;

    /// <summary>The head's bias where it is not named as the head is; empty otherwise.</summary>
    public string HeadBias { get; init; } = "";

    /// <summary>How its blocks compute; null where Recall has no forward pass for the family.</summary>
    public BlockTraits? Block { get; init; }

    /// <inheritdoc cref="ArchitectureModule.LayerTensors"/>
    public ImmutableArray<string> LayerTensors { get; init; } = [];

    /// <inheritdoc cref="ArchitectureModule.OptionalTensors"/>
    public ImmutableArray<string> OptionalTensors { get; init; } = [];

    /// <inheritdoc cref="ArchitectureModule.Before"/>
    public ImmutableArray<string> Before { get; init; } = [];

    /// <inheritdoc cref="ArchitectureModule.After"/>
    public ImmutableArray<string> After { get; init; } = [];

    /// <summary>The other modules of a model that has several.</summary>
    public ImmutableArray<ArchitectureModule> OtherModules { get; init; } = [];

    /// <summary>Files that belong to the family beside those of the tokenizer.</summary>
    public ImmutableArray<string> TagAlong { get; init; } = [];

    /// <summary>Other ways in which checkpoints of the family name their tensors.</summary>
    public ImmutableArray<TensorLayout> Layouts { get; init; } = [];

    /// <summary>The one of <see cref="Layouts"/> in which the names stand here; null: those of the table.</summary>
    public TensorLayout? Layout { get; init; }

    /// <summary>True where embedding and head are numbered along with the layers, so that layers cannot be taken out or put in.</summary>
    public bool NumbersOutside { get; init; }

    /// <summary>True where the family stands in the table; false where it was inferred from the names of tensors.</summary>
    public bool IsKnown => !ClassNames.IsEmpty;

    /// <summary>All modules, the main one first.</summary>
    public ImmutableArray<ArchitectureModule> Modules =>
    [
        new ArchitectureModule(ModuleName)
        {
            Prefixes = ModulePrefixes,
            LayerPrefix = LayerPrefix,
            LayerCountKey = LayerCountKey,
            LayerTensors = LayerTensors,
            OptionalTensors = OptionalTensors,
            Before = Before,
            After = After,
        },
        .. OtherModules,
    ];

    /// <summary>The name of the module that a tensor belongs to: the one with the longest beginning in common.</summary>
    public string ModuleOf(string name) => OtherOf(name)?.Name ?? ModuleName;

    /// <summary>The layer of a tensor, in its module, and its name behind the layer's number; null for tensors outside the
    /// layers.</summary>
    public (int Layer, string Suffix)? LayerOf(string name) =>
        ArchitectureModule.LayerOf(OtherModules.IsEmpty || OtherOf(name) is not { } other ? LayerPrefix : other.LayerPrefix, name);

    /// <summary>The name with <c>*</c> for the layer.</summary>
    public string General(string name) =>
        LayerOf(name) is { } place ? $"{(OtherOf(name)?.LayerPrefix ?? LayerPrefix)}*.{place.Suffix}" : name;

    /// <summary>The name of a layer's tensor in the main module.</summary>
    public string LayerTensor(int layer, string suffix) => $"{LayerPrefix}{layer}.{suffix}";

    /// <summary>The family with the names of the layout that these names are in.</summary>
    public Architecture In(IEnumerable<string> names)
    {
        if (Layouts.IsEmpty) return this;
        var layouts = Layouts.Prepend(null).Select(layout => (Layout: layout, Prefix: layout?.ToHere(LayerPrefix) ?? LayerPrefix)).ToList();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string name in names)
            foreach (var (_, prefix) in layouts)
                if (ArchitectureModule.LayerOf(prefix, name) is not null) seen.Add(prefix);
        var layoutHere = layouts.Find(entry => seen.Contains(entry.Prefix)).Layout;
        return layoutHere is null ? this : Renamed(layoutHere);
    }

    Architecture Renamed(TensorLayout layout) => this with
    {
        Layout = layout,
        ModulePrefixes = [.. ModulePrefixes.Select(layout.ToHere)],
        LayerPrefix = layout.ToHere(LayerPrefix),
        Embedding = layout.ToHere(Embedding),
        Positions = layout.ToHere(Positions),
        FinalNorm = layout.ToHere(FinalNorm),
        Head = layout.ToHere(Head),
        HeadBias = layout.ToHere(HeadBias),
        Before = [.. Before.Select(layout.ToHere)],
        After = [.. After.Select(layout.ToHere)],
        OtherModules = [.. OtherModules.Select(module => module.Renamed(layout.ToHere))],
    };

    ArchitectureModule? OtherOf(string name)
    {
        if (OtherModules.IsEmpty) return null;
        ArchitectureModule? best = null;
        int longest = Longest(ModulePrefixes, name);
        foreach (var module in OtherModules)
        {
            int length = Longest(module.Prefixes, name);
            if (length > longest) (best, longest) = (module, length);
        }
        return best;
    }

    static int Longest(ImmutableArray<string> prefixes, string name)
    {
        int longest = -1;
        foreach (string prefix in prefixes)
            if (prefix.Length > longest && name.StartsWith(prefix, StringComparison.Ordinal)) longest = prefix.Length;
        return longest;
    }
}
