using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Representations;

namespace Recall.Tests.Representations;

/// <summary>Options of single families: defaults where config.json is silent, and what is refused.</summary>
public class FamilyOptionsTests
{
    static BlockOptions Read(string json) => BlockOptions.Read((JsonObject)JsonNode.Parse(json)!, "m");

    const string Sizes = """ "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 6, "vocab_size": 8, "intermediate_size": 12 """;

    [Fact]
    public void Gemma_2_and_3_turn_windows_caps_and_scales_on_without_being_told()
    {
        var two = Read($$"""{"model_type": "gemma2", {{Sizes}} }""");
        Assert.Equal([4096, null, 4096, null, 4096, null], two.Kinds.Select(kind => kind.Window));
        Assert.Equal((50, 30, 256, true), (two.AttentionCap, two.LogitCap, two.HeadDim, two.TiedEmbeddings));
        Assert.Equal((1.0 / 16, Math.Sqrt(32)), (two.AttentionScale, two.EmbeddingScale));
        var three = Read($$"""{"model_type": "gemma3_text", {{Sizes}} }""");
        Assert.Equal([true, true, true, true, true, false], three.Kinds.Select(kind => kind.Window is not null));
        Assert.Equal([10000, 10000, 10000, 10000, 10000, 1e6], three.Kinds.Select(kind => kind.Rope!.Theta));
        Assert.Equal(0, Read($$"""{"model_type": "gemma2", "attn_logit_softcapping": null, {{Sizes}} }""").AttentionCap);
        // An early Gemma says gelu and means its tanh approximation.
        Assert.Equal(Activation.GeluTanh, Read($$"""{"model_type": "gemma", "hidden_act": "gelu", {{Sizes}} }""").Activation);
    }

    [Fact]
    public void Smollm3_leaves_every_fourth_layer_unrotated_and_exaone4_those_without_window()
    {
        Assert.Equal([true, true, true, false, true, true], Read($$"""{"model_type": "smollm3", {{Sizes}} }""").Kinds.Select(kind => kind.Rope is not null));
        Assert.Equal([true, true, true, false, true, true],
            Read($$"""{"model_type": "exaone4", "sliding_window_pattern": "LLLG", {{Sizes}} }""").Kinds.Select(kind => kind.Rope is not null));
        Assert.All(Read($$"""{"model_type": "exaone4", "sliding_window": null, {{Sizes}} }""").Kinds, kind => Assert.NotNull(kind.Rope));
    }

    [Fact]
    public void Layers_without_experts_are_those_that_the_config_names()
    {
        const string experts = """ "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 6 """;
        var options = Read($$"""{"model_type": "qwen3_moe", "decoder_sparse_step": 2, "mlp_only_layers": [3], {{experts}}, {{Sizes}} }""");
        Assert.Equal([false, true, false, false, false, true], options.Kinds.Select(kind => kind.Mixture is not null));
        Assert.Equal(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate", "mlp.experts.0.gate_proj"],
            options.Linears(1).Take(6).Select(linear => linear.Name));
    }

    [Theory]
    [InlineData("cohere", "\"use_qk_norm\": true", "use_qk_norm is true; Recall computes models of this family without it only")]
    [InlineData("stablelm", "\"use_parallel_residual\": true", "use_parallel_residual is true")]
    [InlineData("gpt_neox", "\"rotary_pct\": 0.2", "rotary_pct of 0.2 turns 3 values of a head of 16")]
    [InlineData("phi3", "\"partial_rotary_factor\": 1.5", "partial_rotary_factor is 1.5, not 1; no more than whole heads turn")]
    [InlineData("mixtral", "\"num_local_experts\": 4, \"num_experts_per_tok\": 5", "num_experts_per_tok must be a whole number from 1 to 4")]
    [InlineData("mixtral", "\"hidden_act\": \"silu\"", "num_local_experts is missing")]
    [InlineData("exaone4", "\"sliding_window_pattern\": \"LGLG\"", "sliding_window_pattern is 'LGLG'")]
    [InlineData("smollm3", "\"no_rope_layers\": [1]", "no_rope_layers has 1 entries for 6 layers")]
    [InlineData("gpt2", "\"n_layer\": 2", "n_embd is missing")]
    [InlineData("opt", "\"do_layer_norm_before\": false", "do_layer_norm_before is false; Recall computes models of this family with it only")]
    [InlineData("gptj", "\"n_layer\": 2, \"n_embd\": 32, \"n_head\": 2, \"rotary_dim\": 5", "rotary_dim is 5; values turn in pairs")]
    public void What_is_not_computed_is_refused_by_name(string family, string json, string message) =>
        Assert.Contains(message, Assert.Throws<RecallException>(() => Read($$"""{"model_type": "{{family}}", {{json}}, {{Sizes}} }""")).Message);

    [Fact]
    public void The_documentation_names_every_family()
    {
        string page = File.ReadAllText(Fixtures.InRepository("docs", "models.md"));
        var words = page[page.IndexOf("## Families with a forward pass", StringComparison.Ordinal)..].Split([' ', ',', ';', '(', ')', '\n', '|']);
        Assert.All(Recall.Checkpoints.Architectures.ArchitectureTable.WithBlocks, family => Assert.Contains(family.ModelType, words));
    }

    [Fact]
    public void A_text_longer_than_a_table_of_positions_is_refused()
    {
        var model = Checkpoint.Open(Fixtures.Path("architectures", "gpt2"));
        var error = Assert.Throws<RecallException>(() => Represent.Run("gpt2", model, [new int[65]], new RepresentOptions(), _ => { }));
        Assert.Contains("a text has 65 tokens; the model has positions for 64", error.Message);
    }

    /// <summary>Transformers 5 and mergekit write experts stacked; published files have them one by one.</summary>
    [Theory]
    [InlineData("mixtral", "block_sparse_moe")]
    [InlineData("qwen2-moe", "mlp")]
    public void Experts_that_are_stacked_give_the_same_logits(string name, string mlp)
    {
        var model = Checkpoint.Open(Fixtures.Path("architectures", name));
        var stacked = Stacked.Of(model, mlp);
        Assert.Equal("mlp.experts.gate_up_proj[2]", BlockOptions.Read(stacked).Linears(0).ElementAt(name == "mixtral" ? 9 : 13).Name);
        int[][] texts = [[5, 9, 1, 7], [3, 80, 41, 12, 6, 17]];
        List<float[]> Logits(Checkpoint checkpoint)
        {
            var logits = new List<float[]>();
            Represent.Run(name, checkpoint, texts, new RepresentOptions { Compute = Recall.Configuration.ComputeType.Float32 }, _ => { }, (_, values) => logits.Add(values));
            return logits;
        }
        foreach (var (one, other) in Logits(model).Zip(Logits(stacked)))
            for (int i = 0; i < one.Length; i++) Assert.Equal(one[i], other[i], 1e-5);
    }
}
