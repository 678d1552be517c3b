using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>
/// Decoders with experts. Experts keep the layout of the checkpoint, one tensor each or stacked; mergekit writes the stacked layout of
/// transformers 5 whatever it reads.
/// </summary>
public static partial class ArchitectureTable
{
    static readonly ImmutableArray<string> ExpertMlps =
        Weights("mlp.experts.*.gate_proj", "mlp.experts.*.up_proj", "mlp.experts.*.down_proj");

    static readonly ImmutableArray<string> StackedExperts = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"];

    static readonly ImmutableArray<string> SharedExperts =
        Weights("mlp.shared_experts.gate_proj", "mlp.shared_experts.up_proj", "mlp.shared_experts.down_proj");

    static ImmutableArray<Architecture> Experts =>
    [
        new("mixtral", "MixtralForCausalLM")
        {
            LayerTensors =
            [
                .. TwoNorms, .. Attention,
                .. Weights("block_sparse_moe.experts.*.w1", "block_sparse_moe.experts.*.w2", "block_sparse_moe.experts.*.w3"),
            ],
            OptionalTensors = [.. Weights("block_sparse_moe.gate", "mlp.gate"), .. StackedExperts],
            Block = new()
            {
                Window = WindowRule.EveryLayer, DefaultTheta = 1e6, DefaultNormEpsilon = 1e-5, DefaultMaxPositions = 131072,
                Mixture = new()
                {
                    ExpertsKey = "num_local_experts", IntermediateKey = "intermediate_size", Normalized = true,
                    Router = "block_sparse_moe.gate", Experts = "block_sparse_moe.experts", GateUp = ["w1", "w3"], Down = "w2",
                },
            },
        },
        new("qwen2_moe", "Qwen2MoeForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Attention],
            OptionalTensors =
            [
                .. AttentionBiases, .. ExpertMlps, .. StackedExperts, .. GatedMlp,
                .. Weights("mlp.gate", "mlp.shared_expert_gate", "mlp.shared_expert.gate_proj", "mlp.shared_expert.up_proj",
                    "mlp.shared_expert.down_proj"),
            ],
            Block = new()
            {
                QueryKeyValueBias = new("qkv_bias", true), Window = WindowRule.FromLayer, DefaultWindow = 4096,
                Mixture = new() { DefaultActive = 4, Shared = "mlp.shared_expert", SomeLayers = true },
            },
        },
        new("qwen3_moe", "Qwen3MoeForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Attention, .. HeadNorms, .. ExpertMlps],
            OptionalTensors = [.. Weights("mlp.gate"), .. StackedExperts, .. GatedMlp],
            Block = new()
            {
                QueryKeyValueBias = BiasRule.ByConfig, OutputBias = BiasRule.ByConfig, QueryKeyNorm = QueryKeyNorm.Head,
                Window = WindowRule.FromLayer, DefaultWindow = 4096, Mixture = new() { DefaultActive = 8, SomeLayers = true },
            },
        },
        new("olmoe", "OlmoeForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Attention, .. HeadNorms],
            OptionalTensors = [.. ExpertMlps, .. Weights("mlp.gate"), .. StackedExperts],
            Block = new()
            {
                QueryKeyValueBias = BiasRule.ByConfig, OutputBias = BiasRule.ByConfig, QueryKeyNorm = QueryKeyNorm.Whole, Clipped = true,
                DefaultNormEpsilon = 1e-5, DefaultMaxPositions = 4096,
                Mixture = new() { IntermediateKey = "intermediate_size", DefaultActive = 8 },
            },
        },
        new("granitemoe", "GraniteMoeForCausalLM")
        {
            LayerTensors =
            [
                .. TwoNorms, .. Attention,
                .. Weights("block_sparse_moe.router.layer", "block_sparse_moe.input_linear", "block_sparse_moe.output_linear"),
            ],
            Block = new()
            {
                QueryKeyValueBias = BiasRule.ByConfig, OutputBias = BiasRule.ByConfig, Multipliers = true, DefaultMaxPositions = 2048,
                Mixture = new()
                {
                    ExpertsKey = "num_local_experts", IntermediateKey = "intermediate_size", Normalized = true, Experts = "",
                    Stacked = ("block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight"),
                    StackedRouter = "block_sparse_moe.router.layer",
                },
            },
        },
        new("glm4_moe", "Glm4MoeForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Attention, .. ExpertMlps],
            OptionalTensors =
            [
                .. AttentionBiases, .. HeadNorms, .. GatedMlp, .. StackedExperts, .. SharedExperts, "mlp.gate.weight",
                "mlp.gate.e_score_correction_bias",
                // The layer that predicts a further token.
                .. Weights("eh_proj", "enorm", "hnorm", "embed_tokens", "shared_head.norm", "shared_head.head"),
            ],
        },
        new("afmoe", "AfmoeForCausalLM", "_AfmoePartialForCausalLM")
        {
            LayerTensors =
            [
                .. TwoNorms, .. Weights("pre_mlp_layernorm", "post_mlp_layernorm"), .. Attention, .. HeadNorms,
                .. Weights("self_attn.gate_proj"),
                .. ExpertMlps,
            ],
            OptionalTensors = [.. GatedMlp, .. SharedExperts, "mlp.router.gate.weight", "mlp.expert_bias"],
        },
        new("granitemoehybrid", "GraniteMoeHybridForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Weights("shared_mlp.input_linear", "shared_mlp.output_linear")],
            OptionalTensors =
            [
                .. Attention, .. MambaMixer("mamba"),
                .. Weights("block_sparse_moe.input_linear", "block_sparse_moe.output_linear", "block_sparse_moe.router.layer"),
            ],
        },
    ];

    static ImmutableArray<string> MambaMixer(string name) =>
    [
        $"{name}.A_log", $"{name}.D", $"{name}.dt_bias", .. Biased($"{name}.conv1d"),
        .. Weights($"{name}.in_proj", $"{name}.norm", $"{name}.out_proj"),
    ];

    /// <summary>Decoders whose layers are, some or all, no attention.</summary>
    static ImmutableArray<Architecture> StateSpaces =>
    [
        new("mamba", "MambaForCausalLM")
        {
            LayerPrefix = "backbone.layers.",
            Embedding = "backbone.embeddings.weight",
            FinalNorm = "backbone.norm_f.weight",
            LayerTensors =
            [
                "norm.weight", "mixer.A_log", "mixer.D", "mixer.conv1d.weight", "mixer.conv1d.bias", "mixer.in_proj.weight",
                "mixer.x_proj.weight",
                "mixer.dt_proj.weight", "mixer.dt_proj.bias", "mixer.out_proj.weight",
            ],
        },
        new("lfm2", "Lfm2ForCausalLM")
        {
            FinalNorm = "model.embedding_norm.weight",
            LayerTensors = Weights("operator_norm", "ffn_norm", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"),
            OptionalTensors = Weights(
                "conv.conv", "conv.in_proj", "conv.out_proj", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                "self_attn.out_proj",
                "self_attn.q_layernorm", "self_attn.k_layernorm"),
        },
    ];
}
