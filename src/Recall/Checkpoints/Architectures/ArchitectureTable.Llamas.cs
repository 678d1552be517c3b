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

    static readonly BlockTraits LlamaBlock = new()
    {
        QueryKeyValueBias = BiasRule.ByConfig, OutputBias = BiasRule.ByConfig, MlpBias = new("mlp_bias", false),
    };

    static readonly BlockTraits GemmaBlock = new()
    {
        NormPlusOne = true, QueryKeyValueBias = BiasRule.ByConfig, OutputBias = BiasRule.ByConfig, RootEmbeddingScale = true,
        // Whatever hidden_act says: early files have "gelu" there and mean its tanh approximation.
        Activation = ("hidden_activation", "gelu_pytorch_tanh"), DefaultTied = true, DefaultHeadDim = 256, DefaultMaxPositions = 8192,
    };

    static readonly BlockTraits Gemma2Block = GemmaBlock with
    {
        AttentionPostNorm = "post_attention_layernorm",
        MlpNorm = "pre_feedforward_layernorm",
        MlpPostNorm = "post_feedforward_layernorm",
        Window = WindowRule.ByPattern,
        DefaultWindow = 4096,
        DefaultWindowPattern = 2,
        DefaultQueryScalar = 256,
        DefaultCaps = (50, 30),
    };

    static readonly BlockTraits Olmo2Block = new()
    {
        AttentionNorm = "", AttentionPostNorm = "post_attention_layernorm", MlpNorm = "", MlpPostNorm = "post_feedforward_layernorm",
        QueryKeyValueBias = BiasRule.ByConfig, OutputBias = BiasRule.ByConfig, QueryKeyNorm = QueryKeyNorm.Whole,
        DefaultNormEpsilon = 1e-5, DefaultMaxPositions = 2048,
    };

    static readonly BlockTraits CohereBlock = new()
    {
        LayerNorm = true, NormEpsilonKey = "layer_norm_eps", DefaultNormEpsilon = 1e-5, MlpNorm = "input_layernorm", Parallel = true,
        QueryKeyValueBias = BiasRule.ByConfig, OutputBias = BiasRule.ByConfig, InterleavedRotation = true, DefaultTied = true,
        DefaultLogitScale = 0.0625, DefaultTheta = 500000, DefaultMaxPositions = 8192, Refused = ["use_qk_norm"],
    };

    static readonly BlockTraits GlmBlock = new()
    {
        QueryKeyValueBias = new("attention_bias", true), GateUp = ["mlp.gate_up_proj"], InterleavedRotation = true,
        RotaryPart = 0.5, DefaultHeadDim = 128, DefaultNormEpsilon = 1.5625e-7, DefaultMaxPositions = 131072,
    };

    static ImmutableArray<Architecture> Llamas =>
    [
        new("llama", "LlamaForCausalLM", "LLaMaForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = LlamaBlock with { DefaultMaxPositions = 2048 },
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
            Block = new() { QueryKeyValueBias = BiasRule.Always, Window = WindowRule.FromLayer, DefaultWindow = 4096 },
        },
        new("qwen3", "Qwen3ForCausalLM")
        {
            LayerTensors = [.. LlamaLayer, .. HeadNorms],
            Block = new()
            {
                QueryKeyValueBias = BiasRule.ByConfig, OutputBias = BiasRule.ByConfig, QueryKeyNorm = QueryKeyNorm.Head,
                Window = WindowRule.FromLayer, DefaultWindow = 4096, DefaultHeadDim = 128,
            },
        },
        new("solar", "SolarForCausalLM") { LayerTensors = LlamaLayer },
        new("seed_oss", "SeedOssForCausalLM")
        {
            LayerTensors = [.. LlamaLayer, .. AttentionBiases],
            OptionalTensors = [.. Biases("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")],
            Block = LlamaBlock with
            {
                QueryKeyValueBias = new("attention_bias", true), OutputBias = new("attention_out_bias", false), DefaultHeadDim = 128,
            },
        },
        new("smollm3", "SmolLM3ForCausalLM")
        {
            LayerTensors = LlamaLayer,
            OptionalTensors = [.. AttentionBiases, .. Biases("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")],
            Block = LlamaBlock with
            {
                DefaultTied = true, DefaultTheta = 2e6, Unrotated = UnrotatedRule.ByList, Window = WindowRule.FromLayer,
            },
        },
        new("helium", "HeliumForCausalLM")
        {
            LayerTensors = LlamaLayer,
            Block = LlamaBlock with { InterleavedRotation = true, DefaultHeadDim = 128, DefaultTheta = 100000, DefaultNormEpsilon = 1e-8 },
        },
        new("ernie4_5", "Ernie4_5ForCausalLM")
        {
            LayerTensors = LlamaLayer,
            OptionalTensors = [.. AttentionBiases, .. Biases("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")],
            Block = new()
            {
                QueryKeyValueBias = new("use_bias", false), OutputBias = new("use_bias", false), MlpBias = new("use_bias", false),
                InterleavedRotation = true, DefaultTied = true, DefaultHeadDim = 128, DefaultTheta = 500000, DefaultNormEpsilon = 1e-5,
            },
        },
        new("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM")
        {
            LayerTensors = [.. LlamaLayer, .. Weights("self_attn.query_layernorm", "self_attn.key_layernorm")],
            Block = LlamaBlock with
            {
                MlpBias = default, QueryKeyNorm = QueryKeyNorm.HeadAfterRotation,
                QueryKeyNorms = ("self_attn.query_layernorm", "self_attn.key_layernorm"), DefaultNormEpsilon = 1e-5,
            },
        },
        new("granite", "GraniteForCausalLM")
        {
            LayerTensors = LlamaLayer,
            OptionalTensors = [.. AttentionBiases, .. Biases("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")],
            Block = LlamaBlock with { Multipliers = true, DefaultMaxPositions = 2048 },
        },
        new("gemma", "GemmaForCausalLM") { LayerTensors = LlamaLayer, Block = GemmaBlock },
        new("gemma2", "Gemma2ForCausalLM") { LayerTensors = [.. GemmaNorms, .. Attention, .. GatedMlp], Block = Gemma2Block },
        new("gemma3_text", "Gemma3ForCausalLM")
        {
            LayerTensors = [.. GemmaNorms, .. Attention, .. HeadNorms, .. GatedMlp],
            Block = Gemma2Block with
            {
                DefaultCaps = default, QueryKeyNorm = QueryKeyNorm.Head, DefaultWindowPattern = 6, DefaultMaxPositions = 131072,
                DefaultTheta = 1e6, WindowThetaKey = "rope_local_base_freq",
            },
        },
        new("olmo", "OlmoForCausalLM")
        {
            LayerTensors = [.. Attention, .. GatedMlp],
            FinalNorm = "",
            Block = LlamaBlock with
            {
                LayerNorm = true, NormWeight = false, NormEpsilonKey = "", DefaultNormEpsilon = 1e-5, MlpBias = default, Clipped = true,
                DefaultMaxPositions = 2048,
            },
        },
        new("olmo2", "Olmo2ForCausalLM")
        {
            LayerTensors = [.. Weights("post_attention_layernorm", "post_feedforward_layernorm"), .. Attention, .. HeadNorms, .. GatedMlp],
            Block = Olmo2Block,
        },
        new("olmo3", "Olmo3ForCausalLM")
        {
            LayerTensors = [.. Weights("post_attention_layernorm", "post_feedforward_layernorm"), .. Attention, .. HeadNorms, .. GatedMlp],
            Block = Olmo2Block with
            {
                Window = WindowRule.ByPattern, DefaultWindow = 4096, DefaultWindowPattern = 4, WindowThetaKey = "rope_theta",
            },
        },
        new("exaone4", "Exaone4ForCausalLM")
        {
            LayerTensors = [.. Weights("post_attention_layernorm", "post_feedforward_layernorm"), .. Attention, .. HeadNorms, .. GatedMlp],
            Block = Olmo2Block with
            {
                QueryKeyValueBias = default, OutputBias = default, QueryKeyNorm = QueryKeyNorm.Head, Window = WindowRule.ByPattern,
                DefaultWindow = 4096, DefaultWindowPattern = 4, Unrotated = UnrotatedRule.WithoutWindow, DefaultNormEpsilon = 1e-5,
            },
        },
        new("cohere", "CohereForCausalLM")
        {
            LayerTensors = [.. Weights("input_layernorm"), .. Attention, .. GatedMlp],
            OptionalTensors = HeadNorms,
            Block = CohereBlock,
        },
        new("cohere2", "Cohere2ForCausalLM")
        {
            LayerTensors = [.. Weights("input_layernorm"), .. Attention, .. GatedMlp],
            Block = CohereBlock with
            {
                Window = WindowRule.ByPattern, DefaultWindow = 4096, DefaultWindowPattern = 4, Unrotated = UnrotatedRule.WithoutWindow,
                DefaultTheta = 10000,
            },
        },
        new("arcee", "ArceeForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Attention, .. Weights("mlp.up_proj", "mlp.down_proj")],
            Block = LlamaBlock with
            {
                GateUp = ["mlp.up_proj"], Gated = false, Activation = ("hidden_act", "relu2"), DefaultNormEpsilon = 1e-5,
                DefaultMaxPositions = 4096,
            },
        },
        new("nemotron", "NemotronForCausalLM")
        {
            LayerTensors =
                [.. Biased("input_layernorm", "post_attention_layernorm"), .. Attention, .. Weights("mlp.up_proj", "mlp.down_proj")],
            Block = LlamaBlock with
            {
                LayerNorm = true, NormBias = true, NormPlusOne = true, NormEpsilonKey = "norm_eps", DefaultNormEpsilon = 1e-5,
                GateUp = ["mlp.up_proj"], Gated = false, Activation = ("hidden_act", "relu2"), RotaryPart = 0.5,
                DefaultMaxPositions = 4096,
            },
        },
        new("glm", "GlmForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Attention, .. AttentionBiases, .. Weights("mlp.gate_up_proj", "mlp.down_proj")],
            Block = GlmBlock,
        },
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
            Block = GlmBlock with
            {
                QueryKeyValueBias = BiasRule.ByConfig, AttentionPostNorm = "post_self_attn_layernorm", MlpPostNorm = "post_mlp_layernorm",
            },
        },
        new("baichuan", "BaichuanForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Weights("self_attn.W_pack", "self_attn.o_proj"), .. GatedMlp],
        },
        new("phi3", "Phi3ForCausalLM")
        {
            LayerTensors = [.. TwoNorms, .. Weights("self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj")],
            Block = new()
            {
                QueryKeyValue = ["self_attn.qkv_proj"], GateUp = ["mlp.gate_up_proj"], Window = WindowRule.EveryLayer, RotaryPart = 1,
                DefaultNormEpsilon = 1e-5, DefaultMaxPositions = 4096,
            },
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
            Block = new()
            {
                LayerNorm = true, NormBias = true, NormEpsilonKey = "layer_norm_eps", DefaultNormEpsilon = 1e-5,
                QueryKeyValueBias = new("use_qkv_bias", false), RotaryPart = 0.25, DefaultMaxPositions = 4096,
                Refused = ["use_parallel_residual", "qk_layernorm"],
            },
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
