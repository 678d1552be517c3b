namespace Recall.Checkpoints.Gguf;

/// <summary>
/// What is known of an architecture of GGUF: which Hugging Face family it is, how its tensors are called there, and how the converter of llama.cpp
/// has changed them. A new family is one entry here and the keys of its config in <see cref="GgufConfig"/>.
/// </summary>
/// <param name="Architecture">The value of <c>general.architecture</c>.</param>
/// <param name="ModelType">config.json's <c>model_type</c>.</param>
/// <param name="ClassName">config.json's <c>architectures</c>.</param>
/// <param name="Names">
/// GGUF names to Hugging Face names, without <c>.weight</c> and <c>.bias</c>; those of a layer without <c>blk.N.</c> and with <c>*</c> for N,
/// those of an expert with a second <c>*</c>.
/// </param>
sealed record GgufFamily(string Architecture, string ModelType, string ClassName, IReadOnlyDictionary<string, string> Names)
{
    static readonly Dictionary<string, string> Llama = new()
    {
        ["token_embd"] = "model.embed_tokens", ["output_norm"] = "model.norm", ["output"] = "lm_head",
        ["attn_norm"] = "model.layers.*.input_layernorm", ["ffn_norm"] = "model.layers.*.post_attention_layernorm",
        ["attn_q"] = "model.layers.*.self_attn.q_proj", ["attn_k"] = "model.layers.*.self_attn.k_proj",
        ["attn_v"] = "model.layers.*.self_attn.v_proj", ["attn_output"] = "model.layers.*.self_attn.o_proj",
        ["ffn_gate"] = "model.layers.*.mlp.gate_proj", ["ffn_up"] = "model.layers.*.mlp.up_proj", ["ffn_down"] = "model.layers.*.mlp.down_proj",
    };

    static readonly Dictionary<string, string> Qwen3 = new(Llama)
    {
        ["attn_q_norm"] = "model.layers.*.self_attn.q_norm", ["attn_k_norm"] = "model.layers.*.self_attn.k_norm",
    };

    static readonly GgufFamily[] Families =
    [
        new("llama", "llama", "LlamaForCausalLM", Llama) { PermutedHeads = true },
        new("qwen2", "qwen2", "Qwen2ForCausalLM", Llama),
        new("qwen3", "qwen3", "Qwen3ForCausalLM", Qwen3),
        new("qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM", new Dictionary<string, string>(Qwen3)
        {
            ["ffn_gate_inp"] = "model.layers.*.mlp.gate", ["ffn_gate_exps"] = "model.layers.*.mlp.experts.*.gate_proj",
            ["ffn_up_exps"] = "model.layers.*.mlp.experts.*.up_proj", ["ffn_down_exps"] = "model.layers.*.mlp.experts.*.down_proj",
        }),
        new("gemma2", "gemma2", "Gemma2ForCausalLM", new Dictionary<string, string>(Llama)
        {
            ["post_attention_norm"] = "model.layers.*.post_attention_layernorm", ["ffn_norm"] = "model.layers.*.pre_feedforward_layernorm",
            ["post_ffw_norm"] = "model.layers.*.post_feedforward_layernorm",
        }) { NormsPlusOne = true },
        new("gpt2", "gpt2", "GPT2LMHeadModel", new Dictionary<string, string>
        {
            ["token_embd"] = "transformer.wte", ["position_embd"] = "transformer.wpe", ["output_norm"] = "transformer.ln_f", ["output"] = "lm_head",
            ["attn_norm"] = "transformer.h.*.ln_1", ["ffn_norm"] = "transformer.h.*.ln_2",
            ["attn_qkv"] = "transformer.h.*.attn.c_attn", ["attn_output"] = "transformer.h.*.attn.c_proj",
            ["ffn_up"] = "transformer.h.*.mlp.c_fc", ["ffn_down"] = "transformer.h.*.mlp.c_proj",
        }) { Transposed = true },
    ];

    /// <summary>The rows of q and k are stored in the order of the other rotary convention.</summary>
    public bool PermutedHeads { get; init; }

    /// <summary>Weights of norms are stored with 1 added.</summary>
    public bool NormsPlusOne { get; init; }

    /// <summary>Linear layers of a block are Conv1D in transformers: [in, out].</summary>
    public bool Transposed { get; init; }

    /// <summary>The family of a file.</summary>
    /// <exception cref="RecallException">The file names none, or one that Recall does not know.</exception>
    public static GgufFamily Of(GgufFile file)
    {
        string architecture = file.Metadata.Text("general.architecture")
            ?? throw new RecallException($"{file.Path}: metadata 'general.architecture' is missing");
        var family = Families.FirstOrDefault(family => family.Architecture == architecture) ?? throw new RecallException(
            $"{file.Path}: the GGUF architecture {Quoted.Of(architecture)} is not one that Recall reads: {string.Join(", ", Families.Select(f => f.Architecture))}");
        // Mistral is stored as llama; transformers tells it by the name, too.
        bool mistral = architecture == "llama" && (file.Metadata.Text("general.name") ?? "").Contains("mistral", StringComparison.OrdinalIgnoreCase);
        return mistral ? family with { ModelType = "mistral", ClassName = "MistralForCausalLM" } : family;
    }
}
