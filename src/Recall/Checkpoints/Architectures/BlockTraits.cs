using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>Which layers see only the last <c>sliding_window</c> tokens.</summary>
public enum WindowRule
{
    /// <summary>None, whatever config.json says.</summary>
    Never,
    /// <summary>Every layer, where a window is given.</summary>
    EveryLayer,
    /// <summary>Those that <c>layer_types</c> names; every layer where it is absent.</summary>
    ByLayerType,
    /// <summary>Where <c>use_sliding_window</c> is true: those that <c>layer_types</c> names, else those from <c>max_window_layers</c> on.</summary>
    FromLayer,
    /// <summary>Those that <c>layer_types</c> names; where it is absent, all but every n-th: <c>sliding_window_pattern</c>.</summary>
    ByPattern,
}

/// <summary>Which layers have no rotary positions.</summary>
public enum UnrotatedRule
{
    /// <summary>None: all rotate.</summary>
    None,
    /// <summary>Those without a window, where the model has windows.</summary>
    WithoutWindow,
    /// <summary>Those at which <c>no_rope_layers</c> is 0; every fourth where it is absent.</summary>
    ByList,
}

/// <summary>What is normalised of queries and keys.</summary>
public enum QueryKeyNorm
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>Each head, before the rotation.</summary>
    Head,
    /// <summary>Each head, after the rotation.</summary>
    HeadAfterRotation,
    /// <summary>All heads together, before the rotation.</summary>
    Whole,
}

/// <summary>How queries, keys and values lie in one fused layer.</summary>
public enum FusedOrder
{
    /// <summary>All queries, all keys, all values.</summary>
    Blocks,
    /// <summary>For each key head: its queries, its keys, its values.</summary>
    ByKeyHead,
}

/// <summary>Whether there is a bias: as config.json says under a key, or always the same where there is none.</summary>
/// <param name="Key">The key; null: not looked at.</param>
/// <param name="Default">What holds without it.</param>
public readonly record struct BiasRule(string? Key, bool Default)
{
    /// <summary>Under <c>attention_bias</c>; else none.</summary>
    public static readonly BiasRule ByConfig = new("attention_bias", false);

    /// <summary>Always.</summary>
    public static readonly BiasRule Always = new(null, true);
}

/// <summary>
/// What sets a family's transformer block apart from Llama's: pre-norm with RMSNorm, rotary positions, grouped-query attention, gated MLP.
/// An <see cref="Architecture"/> that has traits has a forward pass. Defaults are those of transformers 5.23.
/// </summary>
public sealed record BlockTraits
{
    /// <summary>Norms: mean and variance, not the mean square alone.</summary>
    public bool LayerNorm { get; init; }

    /// <summary>Norms have a bias.</summary>
    public bool NormBias { get; init; }

    /// <summary>Norms multiply by 1 + weight.</summary>
    public bool NormPlusOne { get; init; }

    /// <summary>Norms have weights; false: they have no tensors at all.</summary>
    public bool NormWeight { get; init; } = true;

    /// <summary>The key of the norms' epsilon; empty: it is fixed.</summary>
    public string NormEpsilonKey { get; init; } = "rms_norm_eps";

    /// <summary>The epsilon where config.json has none.</summary>
    public double DefaultNormEpsilon { get; init; } = 1e-6;

    /// <summary>Norm before the attention; empty: none.</summary>
    public string AttentionNorm { get; init; } = "input_layernorm";

    /// <summary>Norm of what the attention gives; empty: none.</summary>
    public string AttentionPostNorm { get; init; } = "";

    /// <summary>Norm before the MLP; empty: none. With parallel residuals it may be that of the attention.</summary>
    public string MlpNorm { get; init; } = "post_attention_layernorm";

    /// <summary>Norm of what the MLP gives; empty: none.</summary>
    public string MlpPostNorm { get; init; } = "";

    /// <summary>Attention and MLP read the same hidden state; unless <see cref="ParallelKey"/> says otherwise.</summary>
    public bool Parallel { get; init; }

    /// <summary>The key that says so; null: none.</summary>
    public string? ParallelKey { get; init; }

    /// <summary>The linear layers of queries, keys and values: three, or one fused.</summary>
    public ImmutableArray<string> QueryKeyValue { get; init; } = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];

    /// <summary>Order within a fused one.</summary>
    public FusedOrder FusedOrder { get; init; }

    /// <summary>The attention's output layer.</summary>
    public string Output { get; init; } = "self_attn.o_proj";

    /// <summary>What the MLP's first step computes: gate and up, the two fused, or up alone (<see cref="Gated"/> false).</summary>
    public ImmutableArray<string> GateUp { get; init; } = ["mlp.gate_proj", "mlp.up_proj"];

    /// <summary>Whether the MLP has a gate.</summary>
    public bool Gated { get; init; } = true;

    /// <summary>The MLP's output layer.</summary>
    public string Down { get; init; } = "mlp.down_proj";

    /// <summary>Weights of linear layers are stored [in, out] (Conv1D of transformers).</summary>
    public bool StoredTransposed { get; init; }

    /// <summary>Biases of queries, keys and values.</summary>
    public BiasRule QueryKeyValueBias { get; init; }

    /// <summary>Bias of the attention's output.</summary>
    public BiasRule OutputBias { get; init; }

    /// <summary>Biases of the MLP.</summary>
    public BiasRule MlpBias { get; init; }

    /// <summary>The head has a bias.</summary>
    public bool HeadBias { get; init; }

    /// <summary>Norms of queries and keys.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>Names of these norms.</summary>
    public (string Query, string Key) QueryKeyNorms { get; init; } = ("self_attn.q_norm", "self_attn.k_norm");

    /// <summary>Sliding windows.</summary>
    public WindowRule Window { get; init; }

    /// <summary>The window where config.json has no such key; null: none.</summary>
    public int? DefaultWindow { get; init; }

    /// <summary>Every n-th layer has no window, where config.json does not say which.</summary>
    public int DefaultWindowPattern { get; init; } = 1;

    /// <summary>Size of a head where config.json has none; null: hidden size divided by heads.</summary>
    public int? DefaultHeadDim { get; init; }

    /// <summary>Positions of training where config.json has none.</summary>
    public int DefaultMaxPositions { get; init; } = 32768;

    /// <summary>Base of the rotary positions where config.json has none.</summary>
    public double DefaultTheta { get; init; } = 10000;

    /// <summary>Keys of the rotary positions: base, and the part of a head that turns.</summary>
    public (string Theta, string Part) RopeKeys { get; init; } = ("rope_theta", "partial_rotary_factor");

    /// <summary>The part of a head that turns where config.json does not say it; null: always the whole.</summary>
    public double? RotaryPart { get; init; }

    /// <summary>The key of the number of values that turn, where config.json says that instead of a part; null: none.</summary>
    public string? RotaryDimKey { get; init; }

    /// <summary>Value 2i turns with 2i + 1, not i with i + half.</summary>
    public bool InterleavedRotation { get; init; }

    /// <summary>Layers without rotary positions.</summary>
    public UnrotatedRule Unrotated { get; init; }

    /// <summary>The row of position 0 in a table of positions.</summary>
    public int PositionOffset { get; init; }

    /// <summary>The key of the base of the layers that have a window; null: the same as that of all.</summary>
    public string? WindowThetaKey { get; init; }

    /// <summary>The key of the activation, and what holds without it.</summary>
    public (string Key, string Default) Activation { get; init; } = ("hidden_act", "silu");

    /// <summary>Embeddings are multiplied by the root of the hidden size.</summary>
    public bool RootEmbeddingScale { get; init; }

    /// <summary>Whether config.json has the multipliers of Granite: of embeddings, attention, residuals and logits.</summary>
    public bool Multipliers { get; init; }

    /// <summary>Scores are divided by the root of <c>query_pre_attn_scalar</c>; this one where it is absent. Null: by that of the head's
    /// size.</summary>
    public double? DefaultQueryScalar { get; init; }

    /// <summary>Logits are multiplied by <c>logit_scale</c>; this where it is absent. Null: not.</summary>
    public double? DefaultLogitScale { get; init; }

    /// <summary>Soft caps of attention and logits where config.json has no such keys; 0: none.</summary>
    public (double Attention, double Logits) DefaultCaps { get; init; }

    /// <summary>Whether <c>clip_qkv</c> is read: queries, keys and values are clipped.</summary>
    public bool Clipped { get; init; }

    /// <summary>Whether the head is the embedding where config.json does not say it.</summary>
    public bool DefaultTied { get; init; }

    /// <summary>Flags of config.json that ask for what Recall does not compute.</summary>
    public ImmutableArray<string> Refused { get; init; } = [];

    /// <summary>Flags that are true where config.json does not say it, and must be.</summary>
    public ImmutableArray<string> Needed { get; init; } = [];

    /// <summary>Keys of sizes.</summary>
    public SizeKeys Sizes { get; init; } = new();

    /// <summary>Experts in place of the MLP; null: none.</summary>
    public MixtureTraits? Mixture { get; init; }
}

/// <summary>How config.json calls the sizes.</summary>
public sealed record SizeKeys
{
    /// <summary>The names of GPT-2.</summary>
    public static readonly SizeKeys Gpt2 = new()
    {
        Hidden = "n_embd", Heads = "n_head", Intermediate = "n_inner", Positions = "n_positions", DefaultIntermediate = 4,
    };

    /// <summary>Values of a hidden state.</summary>
    public string Hidden { get; init; } = "hidden_size";

    /// <summary>Heads of the queries.</summary>
    public string Heads { get; init; } = "num_attention_heads";

    /// <summary>Values between the halves of the MLP.</summary>
    public string Intermediate { get; init; } = "intermediate_size";

    /// <summary>Positions of training.</summary>
    public string Positions { get; init; } = "max_position_embeddings";

    /// <summary>The intermediate size in hidden sizes where it is not given; 0: it must be.</summary>
    public int DefaultIntermediate { get; init; }
}

/// <summary>What a family's mixture of experts is like: a softmax over the router's scores, of which the largest count.</summary>
public sealed record MixtureTraits
{
    /// <summary>The key of the number of experts.</summary>
    public string ExpertsKey { get; init; } = "num_experts";

    /// <summary>The key of the experts' intermediate size.</summary>
    public string IntermediateKey { get; init; } = "moe_intermediate_size";

    /// <summary>Experts a token where config.json does not say it.</summary>
    public int DefaultActive { get; init; } = 2;

    /// <summary>The weights of the chosen ones are made to sum to 1; null: as <c>norm_topk_prob</c> says.</summary>
    public bool? Normalized { get; init; }

    /// <summary>The router.</summary>
    public string Router { get; init; } = "mlp.gate";

    /// <summary>The experts, before their number: <c>mlp.experts</c>; their layers are named behind it.</summary>
    public string Experts { get; init; } = "mlp.experts";

    /// <summary>The names of gate and up of an expert.</summary>
    public ImmutableArray<string> GateUp { get; init; } = ["gate_proj", "up_proj"];

    /// <summary>The name of down of an expert.</summary>
    public string Down { get; init; } = "down_proj";

    /// <summary>
    /// Tensors in which the experts are stacked, [experts, out, in], gate and up fused: the only layout of the family where
    /// <see cref="Experts"/> is empty, else that of files in which they stand.
    /// </summary>
    public (string GateUp, string Down) Stacked { get; init; } = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj");

    /// <summary>The router's name where experts are stacked.</summary>
    public string StackedRouter { get; init; } = "mlp.gate";

    /// <summary>An MLP that all tokens go through, with a gate of its own; empty: none.</summary>
    public string Shared { get; init; } = "";

    /// <summary>Which layers have experts: <c>decoder_sparse_step</c> and <c>mlp_only_layers</c> are read.</summary>
    public bool SomeLayers { get; init; }
}
