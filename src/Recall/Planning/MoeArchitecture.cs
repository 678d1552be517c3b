using System.Collections.Immutable;
using Recall.Configuration;

namespace Recall.Planning;

/// <summary>An architecture that a mixture of dense models can have. Names of tensors are those that transformers 5 writes.</summary>
/// <param name="Name">What a config calls it, by its beginning.</param>
/// <param name="ModelType"><c>model_type</c> of the output.</param>
/// <param name="ClassName"><c>architectures</c> of the output.</param>
/// <param name="Inputs"><c>model_type</c> of the models that it takes.</param>
sealed record MoeArchitecture(string Name, string ModelType, string ClassName, params ImmutableArray<string> Inputs)
{
    /// <summary>
    /// Whether all experts of a layer lie in two tensors: gate and up, [experts, 2 · inner, hidden], and down, [experts, hidden, inner].
    /// </summary>
    public bool Stacked { get; init; }

    /// <summary>Shared experts at least and at most.</summary>
    public (int Least, int Most) Shared { get; init; }

    /// <summary>What stands before the names of a shared expert's tensors: <c>mlp.shared_expert.</c>.</summary>
    public string SharedPrefix { get; init; } = "";

    /// <summary>Whether the shared expert has a gate of its own, <c>mlp.shared_expert_gate.weight</c> [1, hidden].</summary>
    public bool SharedGate { get; init; }

    /// <summary>The tensors of a layer's attention beyond the four weights that may be there.</summary>
    public ImmutableArray<string> Attention { get; init; } = [];

    /// <summary>Those that must be there, and are 0 where the base model has none: biases.</summary>
    public ImmutableArray<string> FilledWithZeros { get; init; } = [];

    static readonly ImmutableArray<string> Biases = ["self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"];

    /// <summary>All, in the order in which they are tried.</summary>
    public static ImmutableArray<MoeArchitecture> All { get; } =
    [
        new("Mixtral", "mixtral", "MixtralForCausalLM", "llama", "mistral") { Stacked = true },
        new("DeepSeek MoE", "deepseek", "DeepseekForCausalLM", "llama", "mistral")
        {
            Shared = (0, 1),
            SharedPrefix = "mlp.shared_experts.",
            Attention = [.. Biases, "self_attn.o_proj.bias"],
        },
        new("Qwen MoE", "qwen2_moe", "Qwen2MoeForCausalLM", "llama", "mistral", "qwen2")
        {
            Shared = (1, 1),
            SharedPrefix = "mlp.shared_expert.",
            SharedGate = true,
            Attention = Biases,
            FilledWithZeros = Biases,
        },
        new("Qwen3 MoE", "qwen3_moe", "Qwen3MoeForCausalLM", "qwen3")
        {
            Stacked = true,
            Attention = [.. Biases, "self_attn.o_proj.bias", "self_attn.q_norm.weight", "self_attn.k_norm.weight"],
        },
    ];

    /// <summary>The one that the config names, or the first that takes its models.</summary>
    /// <exception cref="ConfigurationException">There is none; the message says why of each.</exception>
    public static MoeArchitecture Choose(MoeConfig config, IReadOnlyList<OpenedModel> models)
    {
        string beginning = config.Architecture ?? "";
        var named = All.Where(each => each.Name.StartsWith(beginning, StringComparison.OrdinalIgnoreCase)).ToList();
        if (named.Count == 0)
        {
            var known = All.Select(each => each.Name).ToList();
            string? near = Quoted.Nearest(beginning, known);
            throw config.ArchitecturePlace.Error($"unknown architecture {Quoted.Of(beginning)}; known: {string.Join(", ", known)}"
                + (near is null ? "" : $"; did you mean '{near}'?"));
        }
        var reasons = named.Select(each => each.Refusal(config, models)).ToList();
        int first = reasons.IndexOf(null);
        if (first >= 0) return named[first];
        var all = named.Zip(reasons, (each, reason) => $"{each.Name} {reason}");
        throw config.ArchitecturePlace.Error("no architecture takes these models: " + string.Join("; ", all));
    }

    string? Refusal(MoeConfig config, IReadOnlyList<OpenedModel> models)
    {
        if (models.FirstOrDefault(model => !Inputs.Contains(model.Architecture.ModelType)) is { } other)
        {
            string family = other.Architecture.IsKnown ? other.Architecture.ModelType : "of an unknown family";
            return $"is made of {string.Join(", ", Inputs)} models, and {other.Name} is {family}";
        }
        int shared = config.SharedExperts.Length;
        if (shared > Shared.Most || shared < Shared.Least)
        {
            string bound = Shared.Least < Shared.Most ? "at most" : "exactly";
            return Shared.Most == 0 ? "has no shared experts" : $"has {bound} {Shared.Most} shared expert, not {shared}";
        }
        if (shared == 0 || !config.ReadsPrompts) return null;
        if (SharedGate && config.SharedExperts[0].PositivePrompts.IsEmpty) return "needs positive_prompts for its shared expert";
        bool prompts = !config.SharedExperts[0].PositivePrompts.IsEmpty || !config.SharedExperts[0].NegativePrompts.IsEmpty;
        return !SharedGate && prompts ? "has no gate for its shared expert, so that its prompts would be without effect" : null;
    }
}
