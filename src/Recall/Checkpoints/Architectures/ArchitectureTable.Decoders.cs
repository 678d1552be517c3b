using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>Decoders of other descent: GPT-2, GPT-NeoX, Falcon, Phi.</summary>
public static partial class ArchitectureTable
{
    static readonly ImmutableArray<string> Gpt2Layer = Biased("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj");

    /// <summary>Published GPT-2 files, among others, leave the name of the inner model out.</summary>
    static readonly TensorLayout WithoutTransformer = new(("transformer.", ""));

    static readonly Architecture Gpt2 = new("gpt2", "GPT2LMHeadModel")
    {
        LayerPrefix = "transformer.h.",
        LayerCountKey = "n_layer",
        Embedding = "transformer.wte.weight",
        FinalNorm = "transformer.ln_f.weight",
        LayerTensors = Gpt2Layer,
        OptionalTensors = ["attn.bias", "attn.masked_bias"],
        Before = ["transformer.wpe.weight"],
        Positions = "transformer.wpe.weight",
        Layouts = [WithoutTransformer],
        Block = new()
        {
            LayerNorm = true, NormBias = true, NormEpsilonKey = "layer_norm_epsilon", DefaultNormEpsilon = 1e-5,
            AttentionNorm = "ln_1", MlpNorm = "ln_2", QueryKeyValue = ["attn.c_attn"], Output = "attn.c_proj",
            GateUp = ["mlp.c_fc"], Gated = false, Down = "mlp.c_proj", StoredTransposed = true,
            QueryKeyValueBias = BiasRule.Always, OutputBias = BiasRule.Always, MlpBias = BiasRule.Always,
            Activation = ("activation_function", "gelu_new"), DefaultTied = true,
            DefaultMaxPositions = 1024, Sizes = SizeKeys.Gpt2,
            Refused = ["scale_attn_by_inverse_layer_idx", "add_cross_attention"],
        },
    };

    static ImmutableArray<Architecture> Decoders =>
    [
        Gpt2,
        Gpt2 with { ClassNames = ["GPT2ForSequenceClassification"], Head = "score.weight", HeadMayBeTied = false, Block = null },
        Gpt2 with
        {
            ModelType = "gpt_bigcode",
            ClassNames = ["GPTBigCodeForCausalLM"],
            Block = Gpt2.Block! with { StoredTransposed = false, FusedOrder = FusedOrder.ByKeyHead, Activation = ("activation_function", "gelu_pytorch_tanh") },
        },
        Gpt2 with
        {
            ModelType = "jais",
            ClassNames = ["JAISLMHeadModel"],
            LayerTensors = [.. Gpt2Layer, .. Biased("mlp.c_fc2")],
            Before = ["transformer.wpe.weight", "transformer.relative_pe.slopes"],
            Block = null,
        },
        new("gpt_neox", "GPTNeoXForCausalLM")
        {
            LayerPrefix = "gpt_neox.layers.",
            Embedding = "gpt_neox.embed_in.weight",
            FinalNorm = "gpt_neox.final_layer_norm.weight",
            Head = "embed_out.weight",
            LayerTensors = Biased(
                "input_layernorm", "post_attention_layernorm", "attention.query_key_value", "attention.dense", "mlp.dense_h_to_4h",
                "mlp.dense_4h_to_h"),
            OptionalTensors = ["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"],
            Block = new()
            {
                LayerNorm = true, NormBias = true, NormEpsilonKey = "layer_norm_eps", DefaultNormEpsilon = 1e-5,
                Parallel = true, ParallelKey = "use_parallel_residual",
                QueryKeyValue = ["attention.query_key_value"], FusedOrder = FusedOrder.ByKeyHead, Output = "attention.dense",
                GateUp = ["mlp.dense_h_to_4h"], Gated = false, Down = "mlp.dense_4h_to_h",
                QueryKeyValueBias = new("attention_bias", true), OutputBias = new("attention_bias", true), MlpBias = BiasRule.Always,
                RopeKeys = ("rotary_emb_base", "rotary_pct"), RotaryPart = 0.25, Activation = ("hidden_act", "gelu"),
                DefaultMaxPositions = 2048,
            },
        },
        new("gptj", "GPTJForCausalLM")
        {
            LayerPrefix = "transformer.h.",
            LayerCountKey = "n_layer",
            Embedding = "transformer.wte.weight",
            FinalNorm = "transformer.ln_f.weight",
            LayerTensors =
            [
                .. Biased("ln_1", "mlp.fc_in", "mlp.fc_out"), .. Weights("attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.out_proj"),
            ],
            OptionalTensors = ["attn.bias", "attn.masked_bias"],
            Block = new()
            {
                LayerNorm = true, NormBias = true, NormEpsilonKey = "layer_norm_epsilon", DefaultNormEpsilon = 1e-5,
                AttentionNorm = "ln_1", MlpNorm = "ln_1", Parallel = true, QueryKeyValue = ["attn.q_proj", "attn.k_proj", "attn.v_proj"],
                Output = "attn.out_proj", GateUp = ["mlp.fc_in"], Gated = false, Down = "mlp.fc_out", MlpBias = BiasRule.Always, HeadBias = true,
                RotaryDimKey = "rotary_dim", InterleavedRotation = true, Activation = ("activation_function", "gelu_new"),
                DefaultMaxPositions = 2048, Sizes = SizeKeys.Gpt2,
            },
        },
        new("opt", "OPTForCausalLM")
        {
            LayerPrefix = "model.decoder.layers.",
            Embedding = "model.decoder.embed_tokens.weight",
            Positions = "model.decoder.embed_positions.weight",
            FinalNorm = "model.decoder.final_layer_norm.weight",
            FinalNormMayLack = true,
            LayerTensors = Biased("self_attn_layer_norm", "final_layer_norm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                "self_attn.out_proj", "fc1", "fc2"),
            // Not in the model whose norms come after, and in that with embeddings of another size.
            Before = ["model.decoder.embed_positions.weight", "model.decoder.project_in.weight"],
            After = ["model.decoder.project_out.weight"],
            Block = new()
            {
                LayerNorm = true, NormBias = true, NormEpsilonKey = "", DefaultNormEpsilon = 1e-5,
                AttentionNorm = "self_attn_layer_norm", MlpNorm = "final_layer_norm", Output = "self_attn.out_proj", GateUp = ["fc1"],
                Gated = false, Down = "fc2", QueryKeyValueBias = new("enable_bias", true), OutputBias = new("enable_bias", true),
                MlpBias = new("enable_bias", true), PositionOffset = 2, Activation = ("activation_function", "relu"), DefaultTied = true,
                DefaultMaxPositions = 2048, Sizes = new() { Intermediate = "ffn_dim" },
                Needed = ["do_layer_norm_before", "layer_norm_elementwise_affine"], Refused = ["_remove_final_layer_norm"],
            },
        },
        new("falcon", "FalconForCausalLM")
        {
            LayerPrefix = "transformer.h.",
            Embedding = "transformer.word_embeddings.weight",
            FinalNorm = "transformer.ln_f.weight",
            LayerTensors = Weights("self_attention.query_key_value", "self_attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
            // One norm or two, by the generation; biases in the first.
            OptionalTensors =
            [
                .. Biased("input_layernorm", "post_attention_layernorm", "ln_attn", "ln_mlp"),
                .. Biases("self_attention.query_key_value", "self_attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
            ],
            Layouts = [WithoutTransformer],
            // Of its three generations the first large one: Falcon 7B.
            Block = new()
            {
                LayerNorm = true, NormBias = true, NormEpsilonKey = "layer_norm_epsilon", DefaultNormEpsilon = 1e-5,
                MlpNorm = "input_layernorm", Parallel = true, QueryKeyValue = ["self_attention.query_key_value"],
                FusedOrder = FusedOrder.ByKeyHead, Output = "self_attention.dense", GateUp = ["mlp.dense_h_to_4h"], Gated = false,
                Down = "mlp.dense_4h_to_h", QueryKeyValueBias = new("bias", false), OutputBias = new("bias", false), MlpBias = new("bias", false),
                Activation = ("activation", "gelu"), DefaultTied = true, DefaultMaxPositions = 2048,
                Sizes = new() { Intermediate = "ffn_hidden_size", DefaultIntermediate = 4 },
                Needed = ["parallel_attn", "multi_query"], Refused = ["new_decoder_architecture", "alibi"],
            },
        },
        new("exaone", "ExaoneForCausalLM")
        {
            LayerPrefix = "transformer.h.",
            Embedding = "transformer.wte.weight",
            FinalNorm = "transformer.ln_f.weight",
            LayerTensors = Weights(
                "ln_1", "ln_2", "attn.attention.q_proj", "attn.attention.k_proj", "attn.attention.v_proj", "attn.attention.out_proj",
                "mlp.c_fc_0", "mlp.c_fc_1", "mlp.c_proj"),
        },
        new("qwen", "QWenLMHeadModel")
        {
            LayerPrefix = "transformer.h.",
            Embedding = "transformer.wte.weight",
            FinalNorm = "transformer.ln_f.weight",
            LayerTensors = [.. Biased("attn.c_attn"), .. Weights("ln_1", "ln_2", "attn.c_proj", "mlp.w1", "mlp.w2", "mlp.c_proj")],
        },
        new("chatglm", "ChatGLMModel")
        {
            LayerPrefix = "transformer.encoder.layers.",
            Embedding = "transformer.embedding.word_embeddings.weight",
            FinalNorm = "transformer.encoder.final_layernorm.weight",
            Head = "transformer.output_layer.weight",
            LayerTensors =
            [
                .. TwoNorms, .. Biased("self_attention.query_key_value"),
                .. Weights("self_attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
            ],
            Before = ["transformer.rotary_pos_emb.inv_freq"],
        },
        // Embedding (layer 0) and head (the last) are numbered with the blocks.
        new("mixformer-sequential", "MixFormerSequentialForCausalLM")
        {
            LayerPrefix = "layers.",
            LayerCountKey = null,
            Embedding = "layers.0.wte.weight",
            FinalNorm = "",
            Head = "",
            NumbersOutside = true,
        },
        new("phi-msft", "PhiForCausalLM")
        {
            LayerPrefix = "transformer.h.",
            LayerCountKey = "n_layer",
            Embedding = "transformer.embd.wte.weight",
            FinalNorm = "lm_head.ln.weight",
            Head = "lm_head.linear.weight",
            LayerTensors = Biased("ln", "mixer.Wqkv", "mixer.out_proj", "mlp.fc1", "mlp.fc2"),
        },
        new("phi", "PhiForCausalLM")
        {
            FinalNorm = "model.final_layernorm.weight",
            LayerTensors = Biased(
                "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.dense", "mlp.fc1", "mlp.fc2"),
            Block = new()
            {
                LayerNorm = true, NormBias = true, NormEpsilonKey = "layer_norm_eps", DefaultNormEpsilon = 1e-5,
                MlpNorm = "input_layernorm", Parallel = true, Output = "self_attn.dense", GateUp = ["mlp.fc1"], Gated = false, Down = "mlp.fc2",
                QueryKeyValueBias = BiasRule.Always, OutputBias = BiasRule.Always, MlpBias = BiasRule.Always, HeadBias = true,
                RotaryPart = 0.5, Activation = ("hidden_act", "gelu_new"), DefaultMaxPositions = 2048, Refused = ["qk_layernorm"],
            },
        },
        new("phi3small", "Phi3SmallForCausalLM")
        {
            FinalNorm = "model.final_layernorm.weight",
            LayerTensors = Biased(
                "input_layernorm", "post_attention_layernorm", "self_attn.query_key_value", "self_attn.dense", "mlp.up_proj",
                "mlp.down_proj"),
        },
        new("starcoder2", "Starcoder2ForCausalLM")
        {
            LayerTensors =
            [
                .. Biased("input_layernorm", "post_attention_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                    "self_attn.o_proj"),
                .. Biased("mlp.c_fc", "mlp.c_proj"),
            ],
            Block = new()
            {
                LayerNorm = true, NormBias = true, NormEpsilonKey = "norm_epsilon", DefaultNormEpsilon = 1e-5,
                GateUp = ["mlp.c_fc"], Gated = false, Down = "mlp.c_proj",
                QueryKeyValueBias = new("use_bias", true), OutputBias = new("use_bias", true), MlpBias = new("use_bias", true),
                Window = WindowRule.EveryLayer, Activation = ("hidden_act", "gelu_pytorch_tanh"), DefaultTied = true,
                DefaultMaxPositions = 4096,
            },
        },
    ];
}
