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
        Layouts = [WithoutTransformer],
    };

    static ImmutableArray<Architecture> Decoders =>
    [
        Gpt2,
        Gpt2 with { ClassNames = ["GPT2ForSequenceClassification"], Head = "score.weight", HeadMayBeTied = false },
        Gpt2 with { ModelType = "gpt_bigcode", ClassNames = ["GPTBigCodeForCausalLM"] },
        Gpt2 with
        {
            ModelType = "jais",
            ClassNames = ["JAISLMHeadModel"],
            LayerTensors = [.. Gpt2Layer, .. Biased("mlp.c_fc2")],
            Before = ["transformer.wpe.weight", "transformer.relative_pe.slopes"],
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
        },
    ];
}
