using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>Models of several modules: encoder and decoder, or a text decoder and what sees or hears for it.</summary>
public static partial class ArchitectureTable
{
    static readonly ImmutableArray<string> Processor = ["preprocessor_config.json", "processor_config.json"];

    /// <summary>The names within transformers since 4.52, where the text model is a part of an inner model.</summary>
    static readonly TensorLayout InnerModel = new(
        ("language_model.model.", "model.language_model."), ("language_model.lm_head.", "lm_head."),
        ("vision_tower.", "model.vision_tower."), ("vision_model.", "model.vision_model."),
        ("multi_modal_projector.", "model.multi_modal_projector."));

    /// <summary>The same for the Qwen family.</summary>
    static readonly TensorLayout InnerQwen = new(("visual.", "model.visual."), ("model.", "model.language_model."));

    static readonly ImmutableArray<string> ClipLayer = Biased(
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "layer_norm1", "layer_norm2", "mlp.fc1",
        "mlp.fc2");

    static readonly ImmutableArray<string> QwenVision = Biased("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2");

    static ImmutableArray<Architecture> Translators =>
    [
        new("t5", "T5ForConditionalGeneration")
        {
            ModuleName = "decoder",
            LayerPrefix = "decoder.block.",
            LayerCountKey = "num_decoder_layers",
            Embedding = "shared.weight",
            FinalNorm = "decoder.final_layer_norm.weight",
            LayerTensors =
            [
                .. T5Attention("layer.0.SelfAttention"), "layer.0.layer_norm.weight", .. T5Attention("layer.1.EncDecAttention"),
                "layer.1.layer_norm.weight",
                "layer.2.DenseReluDense.wo.weight", "layer.2.layer_norm.weight",
            ],
            OptionalTensors =
            [
                .. T5Gates("layer.2.DenseReluDense"), "layer.0.SelfAttention.relative_attention_bias.weight",
                "layer.1.EncDecAttention.relative_attention_bias.weight",
            ],
            Before = ["decoder.embed_tokens.weight"],
            OtherModules =
            [
                new("encoder")
                {
                    Prefixes = ["encoder."],
                    LayerPrefix = "encoder.block.",
                    LayerCountKey = "num_hidden_layers",
                    LayerTensors =
                    [
                        .. T5Attention("layer.0.SelfAttention"), "layer.0.layer_norm.weight", "layer.1.DenseReluDense.wo.weight",
                        "layer.1.layer_norm.weight",
                    ],
                    OptionalTensors = [.. T5Gates("layer.1.DenseReluDense"), "layer.0.SelfAttention.relative_attention_bias.weight"],
                    Before = ["encoder.embed_tokens.weight"],
                    After = ["encoder.final_layer_norm.weight"],
                },
                new("shared") { Prefixes = ["shared."] },
            ],
        },
        new("whisper", "WhisperForConditionalGeneration")
        {
            ModuleName = "decoder",
            LayerPrefix = "model.decoder.layers.",
            LayerCountKey = "decoder_layers",
            Embedding = "model.decoder.embed_tokens.weight",
            FinalNorm = "model.decoder.layer_norm.weight",
            Head = "proj_out.weight",
            LayerTensors =
            [
                .. WhisperAttention("self_attn"), .. WhisperAttention("encoder_attn"),
                .. Biased("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm", "fc1", "fc2"),
            ],
            Before = ["model.decoder.embed_positions.weight"],
            TagAlong = ["preprocessor_config.json", "normalizer.json"],
            OtherModules =
            [
                new("encoder")
                {
                    Prefixes = ["model.encoder."],
                    LayerPrefix = "model.encoder.layers.",
                    LayerCountKey = "encoder_layers",
                    LayerTensors = [.. WhisperAttention("self_attn"), .. Biased("self_attn_layer_norm", "final_layer_norm", "fc1", "fc2")],
                    After = Biased("model.encoder.layer_norm"),
                },
            ],
        },
    ];

    static ImmutableArray<Architecture> Multimodal =>
    [
        new("gemma3", "Gemma3ForConditionalGeneration")
        {
            ModuleName = "text_decoder",
            LayerPrefix = "language_model.model.layers.",
            LayerCountKey = "text_config.num_hidden_layers",
            Embedding = "language_model.model.embed_tokens.weight",
            FinalNorm = "language_model.model.norm.weight",
            Head = "language_model.lm_head.weight",
            LayerTensors = [.. GemmaNorms, .. Attention, .. HeadNorms, .. GatedMlp],
            TagAlong = Processor,
            Layouts = [InnerModel],
            OtherModules =
            [
                Projector,
                new("vision_tower")
                {
                    Prefixes = ["vision_tower."],
                    LayerPrefix = "vision_tower.vision_model.encoder.layers.",
                    LayerCountKey = "vision_config.num_hidden_layers",
                    LayerTensors = ClipLayer,
                    After = Biased("vision_tower.vision_model.post_layernorm"),
                },
            ],
        },
        new("mistral3", "Mistral3ForConditionalGeneration")
        {
            ModuleName = "text_decoder",
            LayerPrefix = "language_model.model.layers.",
            LayerCountKey = "text_config.num_hidden_layers",
            Embedding = "language_model.model.embed_tokens.weight",
            FinalNorm = "language_model.model.norm.weight",
            Head = "language_model.lm_head.weight",
            LayerTensors = LlamaLayer,
            TagAlong = Processor,
            Layouts = [InnerModel],
            OtherModules =
            [
                Projector,
                new("vision_tower")
                {
                    Prefixes = ["vision_tower."],
                    LayerPrefix = "vision_tower.transformer.layers.",
                    LayerCountKey = "vision_config.num_hidden_layers",
                    LayerTensors = Weights(
                        "attention_norm", "ffn_norm", "attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj",
                        "feed_forward.gate_proj", "feed_forward.up_proj", "feed_forward.down_proj"),
                },
            ],
        },
        new("llama4", "Llama4ForConditionalGeneration")
        {
            ModuleName = "text_decoder",
            LayerPrefix = "language_model.model.layers.",
            LayerCountKey = "text_config.num_hidden_layers",
            Embedding = "language_model.model.embed_tokens.weight",
            FinalNorm = "language_model.model.norm.weight",
            Head = "language_model.lm_head.weight",
            LayerTensors = [.. TwoNorms, .. Attention],
            OptionalTensors =
            [
                .. Weights("feed_forward.gate_proj", "feed_forward.up_proj", "feed_forward.down_proj", "feed_forward.router"),
                "feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj",
                .. Weights("feed_forward.shared_expert.gate_proj", "feed_forward.shared_expert.up_proj",
                    "feed_forward.shared_expert.down_proj"),
            ],
            TagAlong = Processor,
            Layouts = [InnerModel],
            OtherModules =
            [
                Projector,
                new("vision_model")
                {
                    Prefixes = ["vision_model."],
                    LayerPrefix = "vision_model.model.layers.",
                    LayerCountKey = "vision_config.num_hidden_layers",
                    LayerTensors = Biased(
                        "input_layernorm", "post_attention_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                        "self_attn.o_proj",
                        "mlp.fc1", "mlp.fc2"),
                    After =
                    [
                        .. Biased("vision_model.layernorm_post"),
                        .. Weights("vision_model.vision_adapter.mlp.fc1", "vision_model.vision_adapter.mlp.fc2"),
                    ],
                },
            ],
        },
        QwenVl("qwen2_vl", "Qwen2VLForConditionalGeneration", QwenVision),
        QwenVl("qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration",
            [.. Weights("norm1", "norm2"), .. Biased("attn.qkv", "attn.proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]),
        Qwen3Vl("qwen3_vl", "Qwen3VLForConditionalGeneration", GatedMlp, []),
        Qwen3Vl("qwen3_vl_moe", "Qwen3VLMoeForConditionalGeneration", ExpertMlps, [.. Weights("mlp.gate"), .. StackedExperts, .. GatedMlp]),
    ];

    static ArchitectureModule Projector => new("multi_modal_projector") { Prefixes = ["multi_modal_projector."] };

    static Architecture QwenVl(string modelType, string className, ImmutableArray<string> vision) => new(modelType, className)
    {
        ModuleName = "text_decoder",
        LayerCountKey = "text_config.num_hidden_layers",
        LayerTensors = [.. LlamaLayer, .. AttentionBiases],
        TagAlong = ["preprocessor_config.json", "vocab.json"],
        Layouts = [InnerQwen],
        OtherModules =
        [
            new("multi_modal_projector") { Prefixes = ["visual.merger."] },
            new("vision_tower")
            {
                Prefixes = ["visual."],
                LayerPrefix = "visual.blocks.",
                LayerCountKey = "vision_config.depth",
                LayerTensors = vision,
            },
        ],
    };

    static Architecture Qwen3Vl(
        string modelType, string className, ImmutableArray<string> mlp, ImmutableArray<string> optional) => new(modelType, className)
        {
            ModuleName = "text_decoder",
            LayerPrefix = "model.language_model.layers.",
            LayerCountKey = "text_config.num_hidden_layers",
            Embedding = "model.language_model.embed_tokens.weight",
            FinalNorm = "model.language_model.norm.weight",
            LayerTensors = [.. TwoNorms, .. Attention, .. HeadNorms, .. mlp],
            OptionalTensors = optional,
            TagAlong = ["preprocessor_config.json", "vocab.json"],
            OtherModules =
        [
            new("multi_modal_projector")
            {
                Prefixes = ["model.visual.merger.", "model.visual.deepstack_merger_list."],
                LayerPrefix = "model.visual.deepstack_merger_list.",
                LayerTensors = Biased("norm", "linear_fc1", "linear_fc2"),
            },
            new("vision_tower")
            {
                Prefixes = ["model.visual."],
                LayerPrefix = "model.visual.blocks.",
                LayerCountKey = "vision_config.depth",
                LayerTensors = Biased("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.linear_fc1", "mlp.linear_fc2"),
            },
        ],
        };

    static ImmutableArray<string> T5Attention(string name) => Weights($"{name}.q", $"{name}.k", $"{name}.v", $"{name}.o");

    static ImmutableArray<string> T5Gates(string name) => Weights($"{name}.wi", $"{name}.wi_0", $"{name}.wi_1");

    static ImmutableArray<string> WhisperAttention(string name) =>
        [.. Biased($"{name}.q_proj", $"{name}.v_proj", $"{name}.out_proj"), $"{name}.k_proj.weight"];
}
