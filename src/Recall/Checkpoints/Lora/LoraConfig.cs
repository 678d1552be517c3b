namespace Recall.Checkpoints.Lora;

/// <summary>What an adapter_config.json of PEFT says about the result. Names are PEFT's; so are the defaults.</summary>
public sealed record LoraConfig
{
    /// <summary>The file; in messages.</summary>
    public required string Path { get; init; }

    /// <summary>Rank of modules that no rank pattern names.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>Alpha of modules that no alpha pattern names.</summary>
    public double Alpha { get; init; } = 8;

    /// <summary>Scale alpha / √r in place of alpha / r (rsLoRA, arXiv 2312.03732).</summary>
    public bool UseRslora { get; init; }

    /// <summary>Each module has a magnitude vector (DoRA, arXiv 2402.09353).</summary>
    public bool UseDora { get; init; }

    /// <summary>lora_B has a bias of its own.</summary>
    public bool LoraBias { get; init; }

    /// <summary>Weights are stored [in, out]: believed only where the base does not tell.</summary>
    public bool FanInFanOut { get; init; }

    /// <summary>One adapter for embedding and head, stored twice.</summary>
    public bool EnsureWeightTying { get; init; }

    /// <summary>The model that was trained, as its owner named it.</summary>
    public string? BaseModel { get; init; }

    /// <summary>
    /// The names of modules (or ends of names) that were trained; null where a regular expression or "all-linear" says it.
    /// </summary>
    public IReadOnlyList<string>? TargetModules { get; init; }

    /// <summary>The parameters that were trained although no module holds them as its weight: stacked experts.</summary>
    public IReadOnlyList<string> TargetParameters { get; init; } = [];

    /// <summary>The modules of which the adapter holds full copies, by name or end of name.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>Layers [from, to) of the base that follow one another in the model that was trained; null for the base as it is.</summary>
    public IReadOnlyList<(int From, int To)>? LayerReplication { get; init; }

    /// <summary>
    /// The rows of <c>trainable_tokens_delta</c>, by the name of the embedding; the name is empty where the config gives none.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<long>> TokenIndices { get; init; } =
        new Dictionary<string, IReadOnlyList<long>>(StringComparer.Ordinal);

    /// <summary>Some layers or modules were left out on purpose (layers_to_transform, exclude_modules).</summary>
    public bool NamesSomeLayers { get; init; }

    internal ModulePattern? TargetPattern { get; init; }

    internal IReadOnlyList<(ModulePattern Pattern, int Rank)> RankPattern { get; init; } = [];

    internal IReadOnlyList<(ModulePattern Pattern, double Alpha)> AlphaPattern { get; init; } = [];

    /// <summary>The rank of a module: that of the first rank pattern that fits its name, or <see cref="Rank"/>.</summary>
    public int RankOf(string module)
    {
        foreach (var (pattern, rank) in RankPattern)
            if (pattern.Fits(module)) return rank;
        return Rank;
    }

    /// <summary>What B·A of a module is multiplied by: alpha / r, or alpha / √r.</summary>
    public float ScaleOf(string module)
    {
        double alpha = Alpha;
        foreach (var (pattern, value) in AlphaPattern)
        {
            if (!pattern.Fits(module)) continue;
            alpha = value;
            break;
        }
        int rank = RankOf(module);
        return (float)(alpha / (UseRslora ? Math.Sqrt(rank) : rank));
    }

    /// <summary>True where target_modules names the module.</summary>
    internal bool Targets(string module) =>
        TargetModules is null && TargetPattern is null
        || TargetPattern?.Fits(module) == true
        || TargetModules?.Any(target => IsEndOf(target, module)) == true;

    /// <summary>
    /// The parameters of a module that target_parameters names: <c>gate_up_proj</c> of <c>model.layers.0.mlp.experts</c>.
    /// </summary>
    internal IReadOnlyList<string> TargetParametersOf(string module)
    {
        var found = new List<string>();
        foreach (string parameter in TargetParameters)
        {
            int dot = parameter.LastIndexOf('.');
            string leaf = parameter[(dot + 1)..];
            if (IsEndOf(parameter, $"{module}.{leaf}") && !found.Contains(leaf)) found.Add(leaf);
        }
        return found;
    }

    /// <summary>True where a name is another or its last parts.</summary>
    internal static bool IsEndOf(string end, string name) =>
        name.EndsWith(end, StringComparison.Ordinal) && (name.Length == end.Length || name[name.Length - end.Length - 1] == '.');
}
