using System.Collections.Immutable;
using System.Text;
using Recall.Configuration.Yaml;

namespace Recall.Configuration;

/// <summary>
/// A merge by the arguments of mergekit-legacy, from the time before merge files; <see cref="ToYaml"/> makes the merge file.
/// </summary>
sealed record LegacyMerge
{
    /// <summary>The models; a base that is not among them is added at the end.</summary>
    public required ImmutableArray<string> Models { get; init; }

    /// <summary>The base model, or null.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Default ties.</summary>
    public string Method { get; init; } = "ties";

    /// <summary>
    /// Parameter <c>density</c>: one value for all models, or one a model in their order, the added base last; none: the method's default.
    /// </summary>
    public ImmutableArray<double> Densities { get; init; } = [];

    /// <summary>Parameter <c>weight</c> in the same way; of slerp the one value of <c>t</c>.</summary>
    public ImmutableArray<double> Weights { get; init; } = [];

    /// <summary>Default true.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Default false; without effect.</summary>
    public bool Int8Mask { get; init; }

    /// <summary>Merges in bfloat16; default false: in the type of the models.</summary>
    public bool BFloat16 { get; init; }

    /// <summary>The merge file.</summary>
    /// <exception cref="ConfigurationException">No models, or numbers that are too many.</exception>
    public string ToYaml()
    {
        if (Models.Length == 0) throw new ConfigurationException("no model is named; name each by --merge");
        var models = BaseModel is null || Models.Contains(BaseModel) ? Models : Models.Add(BaseModel);
        bool slerp = Method == "slerp";
        if (slerp && Weights.Length != 1)
            throw new ConfigurationException($"slerp takes exactly one --weight, its t; {Weights.Length} are given");
        var densities = Spread(Densities, models, "--density");
        var weights = slerp ? [] : Spread(Weights, models, "--weight");
        var yaml = new StringBuilder($"merge_method: {YamlText.Of(Method)}\n");
        if (BaseModel is not null) yaml.Append($"base_model: {YamlText.Of(BaseModel)}\n");
        yaml.Append("models:\n");
        for (int i = 0; i < models.Length; i++)
        {
            yaml.Append($"  - model: {YamlText.Of(models[i])}\n");
            var own = new List<string>();
            if (i < densities.Length) own.Add($"density: {YamlText.Of(densities[i])}");
            if (i < weights.Length) own.Add($"weight: {YamlText.Of(weights[i])}");
            if (own.Count > 0) yaml.Append($"    parameters: {{{string.Join(", ", own)}}}\n");
        }
        yaml.Append("parameters:\n");
        if (slerp) yaml.Append($"  t: {YamlText.Of(Weights[0])}\n");
        if (Int8Mask) yaml.Append("  int8_mask: true\n");
        yaml.Append($"  normalize: {(Normalize ? "true" : "false")}\n");
        if (BFloat16) yaml.Append("dtype: bfloat16\n");
        return yaml.ToString();
    }

    static ImmutableArray<double> Spread(ImmutableArray<double> values, ImmutableArray<string> models, string flag)
    {
        if (values.Length > models.Length)
            throw new ConfigurationException($"{flag} is given {values.Length} times, for {models.Length} models");
        return values.Length == 1 ? [.. models.Select(_ => values[0])] : values;
    }
}
