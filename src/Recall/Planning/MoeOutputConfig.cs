using System.Text.Json.Nodes;

namespace Recall.Planning;

/// <summary>config.json of a mixture: the base model's, with the keys of the new architecture.</summary>
static class MoeOutputConfig
{
    public static void Change(JsonObject config, MoePlan plan, List<string> notes)
    {
        StateDefaults(config, plan);
        int experts = plan.Config.Experts.Length;
        config["architectures"] = new JsonArray(plan.Architecture.ClassName);
        config["model_type"] = plan.Architecture.ModelType;
        config["num_experts_per_tok"] = plan.Config.ExpertsPerToken;
        long inner = Inner(plan, 0);
        config["intermediate_size"] = inner;
        EndWindows(config, plan, notes);
        config.Remove("auto_map");
        switch (plan.Architecture.ModelType)
        {
            case "mixtral":
                config["num_local_experts"] = experts;
                break;
            case "deepseek":
                config["n_routed_experts"] = experts;
                config["n_shared_experts"] = plan.Config.SharedExperts.Length is > 0 and var shared ? shared : null;
                config["moe_intermediate_size"] = inner;
                config["first_k_dense_replace"] = 0;
                config["moe_layer_freq"] = 1;
                config["scoring_func"] = "softmax";
                config["norm_topk_prob"] = true;
                // transformers has no such class of its own: it is loaded from the repository of the first model that had it.
                const string Code = "deepseek-ai/deepseek-moe-16b-base--";
                config["auto_map"] = new JsonObject
                {
                    ["AutoConfig"] = Code + "configuration_deepseek.DeepseekConfig",
                    ["AutoModel"] = Code + "modeling_deepseek.DeepseekModel",
                    ["AutoModelForCausalLM"] = Code + "modeling_deepseek.DeepseekForCausalLM",
                };
                notes.Add("a DeepSeek MoE model is loaded by transformers with trust_remote_code only");
                break;
            default:
                config["num_experts"] = experts;
                config["moe_intermediate_size"] = inner;
                config["norm_topk_prob"] = true;
                config["decoder_sparse_step"] = 1;
                config["mlp_only_layers"] = new JsonArray();
                if (plan.Architecture.SharedGate)
                {
                    config["shared_expert_intermediate_size"] = Inner(plan, experts);
                    config["qkv_bias"] = true;
                }
                break;
        }
    }

    /// <summary>The length of the vector between the matrices of an expert; shared ones are counted on.</summary>
    static long Inner(MoePlan plan, int expert)
    {
        var model = plan.Models[plan.ModelOf(plan.Config.AllExperts.ElementAt(expert))];
        return model.Checkpoint.Find(model.Architecture.LayerTensor(0, MoeTensors.Down))!.Shape[1];
    }

    /// <summary>The keys that the base model's family and the new one understand differently where they are absent.</summary>
    static void StateDefaults(JsonObject config, MoePlan plan)
    {
        void State(string key, JsonNode? value)
        {
            if (config[key] is null && value is not null) config[key] = value;
        }
        var block = plan.Base.Architecture.Block;
        State("num_key_value_heads", config["num_attention_heads"]?.DeepClone());
        State("head_dim", block?.DefaultHeadDim);
        State("max_position_embeddings", block?.DefaultMaxPositions);
        State("rms_norm_eps", 1e-6);
        State("hidden_act", "silu");
        State("tie_word_embeddings", false);
        if (config["rope_parameters"] is null) State("rope_theta", 10000.0);
    }

    /// <summary>Every layer sees all tokens, as in mergekit.</summary>
    static void EndWindows(JsonObject config, MoePlan plan, List<string> notes)
    {
        bool off = config["use_sliding_window"] is JsonValue use && use.TryGetValue(out bool used) && !used;
        if (config["sliding_window"] is { } window && !off)
        {
            notes.Add($"{plan.Base.Name} sees the last {window.ToJsonString()} tokens only (sliding_window); "
                + "the mixture sees all, as in mergekit");
        }
        config["sliding_window"] = null;
        if (plan.Architecture.ModelType is "qwen2_moe" or "qwen3_moe") config["use_sliding_window"] = false;
        if (config["layer_types"] is JsonArray types)
            config["layer_types"] = new JsonArray([.. types.Select(_ => (JsonNode)"full_attention")]);
    }
}
