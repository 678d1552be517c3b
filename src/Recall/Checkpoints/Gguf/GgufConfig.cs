using System.Text.Json.Nodes;
using Recall.Numerics;

namespace Recall.Checkpoints.Gguf;

/// <summary>Writes the config.json that the metadata of a GGUF file stands for, under the keys of transformers.</summary>
sealed class GgufConfig(GgufFile file, GgufFamily family, IReadOnlyList<TensorSource> tensors)
{
    readonly GgufMetadata _metadata = file.Metadata;

    /// <summary>The config.</summary>
    /// <exception cref="RecallException">A key that the family needs is missing or makes no sense.</exception>
    public JsonObject Make()
    {
        var embedding = Find("token_embd");
        if (embedding.Shape.Rank != 2) throw new RecallException($"{file.Path}: tensor 'token_embd.weight' must have 2 dimensions");
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray(family.ClassName), ["model_type"] = family.ModelType, ["vocab_size"] = embedding.Shape[0],
        };
        if (family.Architecture == "gpt2") AddGpt2(config);
        else AddLlamaLike(config);
        config["tie_word_embeddings"] = !tensors.Any(tensor => tensor.Name == "lm_head.weight");
        foreach (var (key, id) in SpecialTokens(_metadata)) config[$"{key}_token_id"] = id;
        if (embedding.Verbatim is not null) config["torch_dtype"] = embedding.DType.TorchName();
        return config;
    }

    /// <summary>The ids of the beginning, end and padding tokens that the file names.</summary>
    public static IEnumerable<(string Key, long Id)> SpecialTokens(GgufMetadata metadata)
    {
        foreach (var (key, name) in new[] { ("bos", "bos"), ("eos", "eos"), ("pad", "padding") })
            if (metadata.Integer($"tokenizer.ggml.{name}_token_id") is { } id and >= 0 and <= int.MaxValue) yield return (key, id);
    }

    void AddLlamaLike(JsonObject config)
    {
        long hidden = Count("embedding_length"), heads = Count("attention.head_count");
        config["hidden_size"] = hidden;
        config["num_hidden_layers"] = Count("block_count");
        config["num_attention_heads"] = heads;
        config["num_key_value_heads"] = Has("attention.head_count_kv") ? Count("attention.head_count_kv") : heads;
        long headSize = Has("attention.key_length") ? Count("attention.key_length") : HeadSize(hidden, heads);
        if (family.ModelType is not "qwen2") config["head_dim"] = headSize;     // there it is hidden / heads, and no key of its config
        if (Has("feed_forward_length")) config["intermediate_size"] = Count("feed_forward_length");
        config["max_position_embeddings"] = Count("context_length");
        config["rms_norm_eps"] = Number("attention.layer_norm_rms_epsilon") ?? throw Missing("attention.layer_norm_rms_epsilon");
        config[family.ModelType == "gemma2" ? "hidden_activation" : "hidden_act"] = family.ModelType == "gemma2" ? "gelu_pytorch_tanh" : "silu";
        AddRotary(config, headSize);
        bool biases = tensors.Any(tensor => tensor.Name.EndsWith("self_attn.q_proj.bias", StringComparison.Ordinal));
        if (family.ModelType is "llama" or "qwen3" or "qwen3_moe" or "gemma2") config["attention_bias"] = biases;
        if (family.ModelType is "llama") config["mlp_bias"] = tensors.Any(tensor => tensor.Name.EndsWith("mlp.up_proj.bias", StringComparison.Ordinal));
        if (family.ModelType is "mistral") config["sliding_window"] = Integer("attention.sliding_window") is { } window ? window : null;
        if (family.ModelType is "gemma2") AddGemma2(config, hidden / heads);
        if (family.ModelType is "qwen3_moe") AddExperts(config);
    }

    void AddRotary(JsonObject config, long headSize)
    {
        double theta = Number("rope.freq_base") ?? 10_000;
        string? scaling = _metadata.Text($"{family.Architecture}.rope.scaling.type");
        var parameters = new JsonObject { ["rope_theta"] = theta, ["rope_type"] = "default" };
        config["rope_theta"] = theta;
        if (scaling is not (null or "none"))
        {
            if (scaling is not ("linear" or "yarn"))
                throw new RecallException($"{file.Path}: metadata '{family.Architecture}.rope.scaling.type' is {Quoted.Of(scaling)}; Recall knows linear and yarn");
            double factor = Number("rope.scaling.factor") ?? throw Missing("rope.scaling.factor");
            parameters["rope_type"] = scaling;
            parameters["factor"] = factor;
            config["rope_scaling"] = new JsonObject { ["rope_type"] = scaling, ["factor"] = factor };
            if (Integer("rope.scaling.original_context_length") is { } original)
                parameters["original_max_position_embeddings"] = config["rope_scaling"]!["original_max_position_embeddings"] = original;
        }
        else if (RotaryFactors.Find(file) is { } factors && factors.Scaling(headSize, theta) is { } llama3)
        {
            config["rope_scaling"] = llama3;
            foreach (var (key, value) in llama3) parameters[key] = value!.DeepClone();
        }
        config["rope_parameters"] = parameters;
    }

    void AddGemma2(JsonObject config, long headSize)
    {
        // The file does not say; the 27B model alone, of 46 layers, scales by hidden / heads and not by 256.
        config["query_pre_attn_scalar"] = Count("block_count") == 46 ? headSize : 256;
        config["sliding_window"] = Count("attention.sliding_window");
        config["attn_logit_softcapping"] = Number("attn_logit_softcapping") ?? throw Missing("attn_logit_softcapping");
        config["final_logit_softcapping"] = Number("final_logit_softcapping") ?? throw Missing("final_logit_softcapping");
    }

    void AddExperts(JsonObject config)
    {
        config["num_experts"] = Count("expert_count");
        config["num_experts_per_tok"] = Count("expert_used_count");
        config["moe_intermediate_size"] = Count("expert_feed_forward_length");
        config["norm_topk_prob"] = true;
        config["decoder_sparse_step"] = 1;
        config["mlp_only_layers"] = new JsonArray();
    }

    void AddGpt2(JsonObject config)
    {
        config["n_embd"] = Count("embedding_length");
        config["n_layer"] = Count("block_count");
        config["n_head"] = Count("attention.head_count");
        config["n_positions"] = Count("context_length");
        config["n_inner"] = Count("feed_forward_length");
        config["layer_norm_epsilon"] = Number("attention.layer_norm_epsilon") ?? throw Missing("attention.layer_norm_epsilon");
        config["activation_function"] = "gelu_new";
    }

    long HeadSize(long hidden, long heads) => hidden % heads == 0 ? hidden / heads
        : throw new RecallException($"{file.Path}: embedding_length {hidden} is no multiple of the {heads} heads, and attention.key_length is missing");

    TensorSource Find(string part)
    {
        string name = $"{family.Names[part]}.weight";
        return tensors.FirstOrDefault(tensor => tensor.Name == name)
            ?? throw new RecallException($"{file.Path}: tensor '{part}.weight' is missing");
    }

    bool Has(string key) => _metadata.Has($"{family.Architecture}.{key}");

    long Count(string key) => _metadata.Count($"{family.Architecture}.{key}");

    long? Integer(string key) => _metadata.Integer($"{family.Architecture}.{key}");

    double? Number(string key) => _metadata.Number($"{family.Architecture}.{key}") switch
    {
        null => null,
        { } number => double.IsFinite(number) && number > 0 ? number
            : throw _metadata.Wrong($"{family.Architecture}.{key}", "a number above 0"),
    };

    RecallException Missing(string key) => new($"{file.Path}: metadata '{family.Architecture}.{key}' is missing");
}
