using System.Collections.Immutable;
using Recall.Configuration.Yaml;
using Recall.Numerics;

namespace Recall.Configuration;

/// <summary>
/// A file of mergekit-moe: dense models become the experts of one mixture; a router row for each comes from prompts or is drawn. Immutable,
/// every part with its place in the file.
/// </summary>
public sealed record MoeConfig
{
    /// <summary>The file, as the user named it.</summary>
    public required string File { get; init; }

    /// <summary>The file's text: copied verbatim into the output.</summary>
    public required string Text { get; init; }

    /// <summary>Where the file begins.</summary>
    public required Place Place { get; init; }

    /// <summary>Gives everything but the MLPs, and reads the prompts.</summary>
    public required ModelReference BaseModel { get; init; }

    /// <summary>Where <see cref="BaseModel"/> stands.</summary>
    public required Place BaseModelPlace { get; init; }

    /// <summary>Where the router's rows come from. Default hidden.</summary>
    public GateMode GateMode { get; init; } = GateMode.Hidden;

    /// <summary>Type of the output; null: that of the base model's embedding.</summary>
    public DType? DType { get; init; }

    /// <summary>Experts that each token goes through. Default 2.</summary>
    public int ExpertsPerToken { get; init; } = 2;

    /// <summary>The experts, in the order of the router's rows.</summary>
    public required ImmutableArray<MoeExpert> Experts { get; init; }

    /// <summary>Experts that every token goes through.</summary>
    public ImmutableArray<MoeExpert> SharedExperts { get; init; } = [];

    /// <summary>The beginning of the output architecture's name; null: the first that takes the models.</summary>
    public string? Architecture { get; init; }

    /// <summary>Where <see cref="Architecture"/> stands; without it, where the file begins.</summary>
    public Place ArchitecturePlace { get; init; }

    /// <summary>Keys without meaning, each with its place.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];

    /// <summary>False where the router's rows are drawn.</summary>
    public bool ReadsPrompts => GateMode is not (GateMode.Random or GateMode.UniformRandom);

    /// <summary>All experts, the shared ones behind the others.</summary>
    public IEnumerable<MoeExpert> AllExperts => Experts.Concat(SharedExperts);

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="allowEqualModels">Takes experts that are all the same model: of use before training only.</param>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static MoeConfig Read(string path, bool allowEqualModels = false) => Parse(YamlDocument.ReadText(path), path, allowEqualModels);

    /// <summary>The same from text; <paramref name="file"/> stands in messages.</summary>
    /// <inheritdoc cref="Read"/>
    public static MoeConfig Parse(string text, string file, bool allowEqualModels = false) =>
        MoeConfigReader.Read(YamlDocument.ParseMapping(text, file), text, file, allowEqualModels);
}

/// <summary>One expert.</summary>
/// <param name="Model">Whose MLPs it has.</param>
/// <param name="Place">Where it stands.</param>
public sealed record MoeExpert(ModelReference Model, Place Place)
{
    /// <summary>Texts whose tokens it is for.</summary>
    public ImmutableArray<string> PositivePrompts { get; init; } = [];

    /// <summary>Texts whose tokens it is not for.</summary>
    public ImmutableArray<string> NegativePrompts { get; init; } = [];

    /// <summary>Standard deviation of normal noise that is added to its weights. Default 0.</summary>
    public double NoiseScale { get; init; }

    /// <summary>What its output, by its <c>down_proj</c>, is multiplied with. Default 1.</summary>
    public double ResidualScale { get; init; } = 1;
}

/// <summary>Where the router's rows come from.</summary>
public enum GateMode
{
    /// <summary>The base model's hidden state at the prompts' last tokens, layer by layer; the same as <see cref="HiddenLast"/>.</summary>
    Hidden,
    /// <summary>The mean of the base model's hidden states over the prompts' tokens, layer by layer.</summary>
    HiddenAvg,
    /// <summary>The base model's hidden state at the prompts' last tokens, layer by layer.</summary>
    HiddenLast,
    /// <summary>The sum of the embeddings of the prompts' tokens, the same for every layer: no forward pass.</summary>
    CheapEmbed,
    /// <summary>Drawn from N(0, 1).</summary>
    Random,
    /// <summary>Drawn from U(−1/√h, 1/√h), h the hidden size.</summary>
    UniformRandom,
}
