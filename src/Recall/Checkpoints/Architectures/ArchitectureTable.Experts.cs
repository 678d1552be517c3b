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
        },
        new("qwen3_moe", "Qwen3MoeForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Attention, .. HeadNorms, .. ExpertMlps],
            OptionalTensors = [.. Weights("mlp.gate"), .. StackedExperts, .. GatedMlp],
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
