using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>Decoders whose layers are named as Llama's.</summary>
public static partial class ArchitectureTable
{
    static readonly ImmutableArray<string> Attention =
        Weights("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj");

    static readonly ImmutableArray<string> AttentionBiases = Biases("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj");

    static readonly ImmutableArray<string> HeadNorms = Weights("self_attn.q_norm", "self_attn.k_norm");

    static readonly ImmutableArray<string> GatedMlp = Weights("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj");

    static readonly ImmutableArray<string> TwoNorms = Weights("input_layernorm", "post_attention_layernorm");

    static readonly ImmutableArray<string> LlamaLayer = [.. TwoNorms, .. Attention, .. GatedMlp];

    static readonly ImmutableArray<string> GemmaNorms =
        Weights("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm");

    static ImmutableArray<Architecture> Llamas =>
    [
        new("llama", "LlamaForCausalLM", "LLaMaForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = new() { AttentionBias = AttentionBias.ByConfig, MlpBiasByConfig = true, DefaultMaxPositions = 2048 },
        },
        new("llama", "LlamaForSequenceClassification") { LayerTensors = LlamaLayer, Head = "score.weight", HeadMayBeTied = false },
        new("mistral", "MistralForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = new() { Window = WindowRule.EveryLayer, DefaultWindow = 4096, DefaultMaxPositions = 131072 },
        },
        new("ministral", "MinistralForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = new() { Window = WindowRule.ByLayerType, DefaultWindow = 4096 },
        },
        new("ministral3", "Ministral3ForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = new() { Window = WindowRule.EveryLayer, DefaultMaxPositions = 262144 },
        },
        new("qwen2", "Qwen2ForCausalLM")
        {
            LayerTensors = [.. LlamaLayer, .. AttentionBiases],
            Block = new() { AttentionBias = AttentionBias.QueryKeyValue, Window = WindowRule.FromLayer, DefaultWindow = 4096 },
        },
        new("qwen3", "Qwen3ForCausalLM")
        {
            LayerTensors = [.. LlamaLayer, .. HeadNorms],
            Block = new()
            {
                AttentionBias = AttentionBias.ByConfig, QueryKeyNorm = true, Window = WindowRule.FromLayer,
                DefaultWindow = 4096, DefaultHeadDim = 128,
            },
        },
        new("solar", "SolarForCausalLM") { LayerTensors = LlamaLayer },
        new("granite", "GraniteForCausalLM")
        {
            LayerTensors = LlamaLayer,
            OptionalTensors = [.. AttentionBiases, .. Biases("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")],
        },
        new("gemma", "GemmaForCausalLM") { LayerTensors = LlamaLayer },
        new("gemma2", "Gemma2ForCausalLM") { LayerTensors = [.. GemmaNorms, .. Attention, .. GatedMlp] },
        new("gemma3_text", "Gemma3ForCausalLM") { LayerTensors = [.. GemmaNorms, .. Attention, .. HeadNorms, .. GatedMlp] },
        new("olmo2", "Olmo2ForCausalLM")
        {
            LayerTensors = [.. Weights("post_attention_layernorm", "post_feedforward_layernorm"), .. Attention, .. HeadNorms, .. GatedMlp],
        },
        new("cohere", "CohereForCausalLM")
        {
            LayerTensors = [.. Weights("input_layernorm"), .. Attention, .. GatedMlp],
            OptionalTensors = HeadNorms,
        },
        new("cohere2", "Cohere2ForCausalLM") { LayerTensors = [.. Weights("input_layernorm"), .. Attention, .. GatedMlp] },
        new("arcee", "ArceeForCausalLM") { LayerTensors = [.. TwoNorms, .. Attention, .. Weights("mlp.up_proj", "mlp.down_proj")] },
        new("apertus", "ApertusForCausalLM")
        {
            LayerTensors =
            [
                .. Weights("attention_layernorm", "feedforward_layernorm"), .. Attention, .. HeadNorms,
                .. Weights("mlp.up_proj", "mlp.down_proj"),
                "mlp.act_fn.alpha_n", "mlp.act_fn.alpha_p", "mlp.act_fn.beta", "mlp.act_fn.eps",
            ],
        },
        new("glm4", "Glm4ForCausalLM")
        {
            LayerTensors =
            [
                .. TwoNorms, .. Weights("post_mlp_layernorm", "post_self_attn_layernorm"), .. Attention,
                .. Weights("mlp.gate_up_proj", "mlp.down_proj"),
            ],
            OptionalTensors = AttentionBiases,
        },
        new("baichuan", "BaichuanForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Weights("self_attn.W_pack", "self_attn.o_proj"), .. GatedMlp],
        },
        new("phi3", "Phi3ForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Weights("self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj")],
        },
        new("stablelm_epoch", "StableLMEpochForCausalLM")
        {
            LayerTensors = [.. LlamaLayer, .. Biases("input_layernorm", "post_attention_layernorm")],
        },
        new("stablelm", "StableLmForCausalLM")
        {
            LayerTensors = [.. Biased("input_layernorm"), .. Attention, .. GatedMlp],
            // With parallel residuals there is no second norm; with qk_layernorm one norm a head.
            OptionalTensors =
            [
                .. Biased("post_attention_layernorm"), .. AttentionBiases, "self_attn.q_layernorm.norms.*.weight",
                "self_attn.k_layernorm.norms.*.weight",
            ],
        },
        new("internlm2", "InternLM2ForCausalLM")
        {
            LayerTensors = Weights("attention_norm", "ffn_norm", "attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2",
                "feed_forward.w3"),
            Embedding = "model.tok_embeddings.weight",
            Head = "output.weight",
        },
    ];
}
