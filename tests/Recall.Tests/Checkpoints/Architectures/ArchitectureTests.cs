using System.Text;
using System.Text.Json.Nodes;
using Recall.Checkpoints.Architectures;

namespace Recall.Tests.Checkpoints.Architectures;

public class ArchitectureTests
{
    static Architecture Of(string className, string? modelType = null) =>
        ArchitectureTable.Find(new JsonObject { ["architectures"] = new JsonArray(className), ["model_type"] = modelType })!;

    /// <summary>The class names that mergekit serves, with the number of tensors in a layer of its tables (required and optional).</summary>
    [Theory]
    [InlineData("AfmoeForCausalLM", 19)]
    [InlineData("ApertusForCausalLM", 14)]
    [InlineData("ArceeForCausalLM", 8)]
    [InlineData("BaichuanForCausalLM", 7)]
    [InlineData("BertForMaskedLM", 16)]
    [InlineData("BertForSequenceClassification", 16)]
    [InlineData("BertForMultipleChoice", 16)]
    [InlineData("BertForTokenClassification", 16)]
    [InlineData("BertModel", 16)]
    [InlineData("ChatGLMModel", 7)]
    [InlineData("CohereForCausalLM", 10)]
    [InlineData("Cohere2ForCausalLM", 8)]
    [InlineData("DistilBertForMaskedLM", 16)]
    [InlineData("DistilBertForSequenceClassification", 16)]
    [InlineData("DistilBertForTokenClassification", 16)]
    [InlineData("DistilBertModel", 16)]
    [InlineData("ExaoneForCausalLM", 9)]
    [InlineData("FalconForCausalLM", null)]
    [InlineData("GemmaForCausalLM", 9)]
    [InlineData("Gemma2ForCausalLM", 11)]
    [InlineData("Gemma3ForCausalLM", 13)]
    [InlineData("Gemma3ForConditionalGeneration", 13)]
    [InlineData("Glm4ForCausalLM", 13)]
    [InlineData("Glm4MoeForCausalLM", null)]
    [InlineData("GPTNeoXForCausalLM", 15)]
    [InlineData("GPT2ForSequenceClassification", null)]
    [InlineData("GPT2LMHeadModel", null)]
    [InlineData("GPTBigCodeForCausalLM", null)]
    [InlineData("GraniteForCausalLM", 16)]
    [InlineData("GraniteMoeHybridForCausalLM", 19)]
    [InlineData("InternLM2ForCausalLM", 7)]
    [InlineData("JAISLMHeadModel", null)]
    [InlineData("Lfm2ForCausalLM", 14)]
    [InlineData("LlamaForSequenceClassification", 9)]
    [InlineData("LlamaForCausalLM", 9)]
    [InlineData("LLaMaForCausalLM", 9)]
    [InlineData("Llama4ForConditionalGeneration", 15)]
    [InlineData("MambaForCausalLM", 10)]
    [InlineData("MistralForCausalLM", 9)]
    [InlineData("Mistral3ForConditionalGeneration", 9)]
    [InlineData("MixtralForCausalLM", null)]
    [InlineData("Olmo2ForCausalLM", null)]
    [InlineData("MixFormerSequentialForCausalLM", null)]
    [InlineData("Phi3SmallForCausalLM", 12)]
    [InlineData("Phi3ForCausalLM", 6)]
    [InlineData("QWenLMHeadModel", 8)]
    [InlineData("Qwen2ForCausalLM", 12)]
    [InlineData("Qwen2_5_VLForConditionalGeneration", 12)]
    [InlineData("Qwen2VLForConditionalGeneration", 12)]
    [InlineData("Qwen3ForCausalLM", 11)]
    [InlineData("Qwen3MoeForCausalLM", null)]
    [InlineData("Qwen3VLMoeForConditionalGeneration", null)]
    [InlineData("Qwen3VLForConditionalGeneration", 11)]
    [InlineData("RobertaForMaskedLM", 16)]
    [InlineData("RobertaForSequenceClassification", 16)]
    [InlineData("RobertaForTokenClassification", 16)]
    [InlineData("RobertaModel", 16)]
    [InlineData("SolarForCausalLM", 9)]
    [InlineData("StableLMEpochForCausalLM", 11)]
    [InlineData("StableLmForCausalLM", null)]
    [InlineData("Starcoder2ForCausalLM", 16)]
    [InlineData("T5ForConditionalGeneration", null)]
    [InlineData("WhisperForConditionalGeneration", 24)]
    public void EveryClassOfMergekitIsKnownWithTheTensorsOfItsLayers(string className, int? tensors)
    {
        var family = Of(className);
        Assert.NotNull(family);
        // Experts, which mergekit's tables have stacked or not at all, are no part of the comparison.
        if (tensors is { } count)
            Assert.Equal(count, family.LayerTensors.Concat(family.OptionalTensors).Count(name => !name.Contains("experts.*") && !name.StartsWith("mlp.experts.")));
        Assert.Equal(family.LayerTensors.Length, family.LayerTensors.Except(family.OptionalTensors).Distinct().Count());
        Assert.NotEqual("", family.LayerPrefix);
        Assert.Equal(family.Modules.Length, family.Modules.Select(module => module.Name).Distinct().Count());
    }

    [Fact]
    public void WhereTwoFamiliesShareAClassTheModelTypeDecides()
    {
        Assert.Equal("model.layers.", Of("PhiForCausalLM", "phi").LayerPrefix);
        Assert.Equal("transformer.h.", Of("PhiForCausalLM", "phi-msft").LayerPrefix);
        Assert.Null(Of("PhiForCausalLM", "other"));
        Assert.Equal("llama", Of("LlamaForCausalLM", "other").ModelType);   // alone of its name: model_type is not asked
        Assert.Null(Of("NoSuchModel"));
    }

    [Fact]
    public void AClassStandsForOneFamilyOfAModelType()
    {
        var claims = ArchitectureTable.All.SelectMany(family => family.ClassNames.Select(name => (name, family.ModelType))).ToList();
        Assert.Equal(claims.Count, claims.Distinct().Count());
    }

    [Fact]
    public void EncoderAndDecoderHaveLayersOfTheirOwn()
    {
        var t5 = Of("T5ForConditionalGeneration");
        Assert.Equal((3, "layer.0.SelfAttention.q.weight"), t5.LayerOf("encoder.block.3.layer.0.SelfAttention.q.weight"));
        Assert.Equal((12, "layer.2.layer_norm.weight"), t5.LayerOf("decoder.block.12.layer.2.layer_norm.weight"));
        Assert.Equal("encoder", t5.ModuleOf("encoder.block.3.layer.0.SelfAttention.q.weight"));
        Assert.Equal("encoder", t5.ModuleOf("encoder.final_layer_norm.weight"));
        Assert.Equal("decoder", t5.ModuleOf("decoder.block.3.layer.0.SelfAttention.q.weight"));
        Assert.Equal("decoder", t5.ModuleOf("lm_head.weight"));
        Assert.Equal("shared", t5.ModuleOf("shared.weight"));
        Assert.Equal("encoder.block.*.layer.0.layer_norm.weight", t5.General("encoder.block.1.layer.0.layer_norm.weight"));

        var whisper = Of("WhisperForConditionalGeneration");
        Assert.Equal("encoder", whisper.ModuleOf("model.encoder.layers.0.fc1.weight"));
        Assert.Equal((0, "fc1.weight"), whisper.LayerOf("model.encoder.layers.0.fc1.weight"));
        Assert.Equal("encoder", whisper.ModuleOf("model.encoder.conv1.weight"));
        Assert.Equal((1, "encoder_attn.q_proj.bias"), whisper.LayerOf("model.decoder.layers.1.encoder_attn.q_proj.bias"));
        Assert.Null(whisper.LayerOf("model.decoder.layer_norm.weight"));
    }

    [Fact]
    public void TheLongerBeginningHasTheTensor()
    {
        var vision = Of("Qwen2_5_VLForConditionalGeneration");
        Assert.Equal("multi_modal_projector", vision.ModuleOf("visual.merger.mlp.0.weight"));
        Assert.Equal("vision_tower", vision.ModuleOf("visual.blocks.0.attn.qkv.weight"));
        Assert.Equal("vision_tower", vision.ModuleOf("visual.patch_embed.proj.weight"));
        Assert.Equal("text_decoder", vision.ModuleOf("model.layers.0.mlp.up_proj.weight"));
        Assert.Null(vision.LayerOf("visual.merger.mlp.0.weight"));
        var deep = Of("Qwen3VLForConditionalGeneration");
        Assert.Equal((2, "norm.weight"), deep.LayerOf("model.visual.deepstack_merger_list.2.norm.weight"));
        Assert.Equal("multi_modal_projector", deep.ModuleOf("model.visual.deepstack_merger_list.2.norm.weight"));
        Assert.Equal("vision_tower", deep.ModuleOf("model.visual.pos_embed.weight"));
    }

    [Fact]
    public void ALayoutIsKnownByTheNamesOfTheLayers()
    {
        var gpt2 = Of("GPT2LMHeadModel");
        Assert.Same(gpt2, gpt2.In(["transformer.h.0.ln_1.weight", "h.0.ln_1.weight"]));
        var bare = gpt2.In(["wte.weight", "h.0.ln_1.weight"]);
        Assert.Equal(("h.", "wte.weight", "ln_f.weight", "lm_head.weight"), (bare.LayerPrefix, bare.Embedding, bare.FinalNorm, bare.Head));
        Assert.Equal("transformer.wpe.weight", bare.Layout!.ToTable("wpe.weight"));
        Assert.Equal("lm_head.weight", bare.Layout.ToTable("lm_head.weight"));

        var gemma = Of("Gemma3ForConditionalGeneration").In(["model.language_model.layers.0.input_layernorm.weight"]);
        Assert.Equal("model.language_model.embed_tokens.weight", gemma.Embedding);
        Assert.Equal("lm_head.weight", gemma.Head);
        Assert.Equal("vision_tower", gemma.ModuleOf("model.vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"));
        Assert.Equal((0, "mlp.fc1.weight"), gemma.LayerOf("model.vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"));

        var qwen = Of("Qwen2VLForConditionalGeneration").In(["model.language_model.layers.0.input_layernorm.weight"]);
        Assert.Equal("model.layers.7.mlp.up_proj.weight", qwen.Layout!.ToTable("model.language_model.layers.7.mlp.up_proj.weight"));
        Assert.Equal("visual.blocks.7.norm1.weight", qwen.Layout.ToTable("model.visual.blocks.7.norm1.weight"));
        Assert.Equal("multi_modal_projector", qwen.ModuleOf("model.visual.merger.ln_q.weight"));

        var bert = Of("BertModel").In(["bert.encoder.layer.0.output.dense.weight"]);
        Assert.Equal("bert.embeddings.word_embeddings.weight", bert.Embedding);
        Assert.Equal("encoder.layer.0.output.dense.weight", bert.Layout!.ToTable("bert.encoder.layer.0.output.dense.weight"));
    }

    [Fact]
    public void OnePlaceOfLayersIsOneModule()
    {
        var one = Architecture.Infer(["trunk.embed_tokens.weight", "trunk.blocks.0.mlp.experts.1.w.weight", "trunk.blocks.1.a.weight", "lm_head.weight"]);
        Assert.False(one.IsKnown);
        Assert.Equal("trunk.blocks.", one.LayerPrefix);
        Assert.Equal(["default"], one.Modules.Select(module => module.Name));
        Assert.Equal("trunk.embed_tokens.weight", one.Embedding);
        Assert.Equal((0, "mlp.experts.1.w.weight"), one.LayerOf("trunk.blocks.0.mlp.experts.1.w.weight"));
    }

    [Fact]
    public void SeveralPlacesOfLayersAreAsManyModules()
    {
        var many = Architecture.Infer(
        [
            "encoder.block.0.a.weight", "encoder.block.1.a.weight", "encoder.block.1.b.weight", "decoder.block.0.a.weight", "encoder.block.adapter.0.c.weight",
            "encoder.norm.weight", "shared.weight",
        ]);
        Assert.Equal(["encoder.block", "decoder.block", "encoder.block.adapter", "default"], many.Modules.Select(module => module.Name));
        Assert.Equal("encoder.block", many.ModuleOf("encoder.block.1.b.weight"));
        Assert.Equal("encoder.block.adapter", many.ModuleOf("encoder.block.adapter.0.c.weight"));
        Assert.Equal("decoder.block", many.ModuleOf("decoder.block.0.a.weight"));
        Assert.Equal("default", many.ModuleOf("encoder.norm.weight"));
        Assert.Equal((0, "c.weight"), many.LayerOf("encoder.block.adapter.0.c.weight"));
        Assert.Null(many.LayerOf("shared.weight"));
    }

    [Fact]
    public void NumbersThatNoModelHasAreNoLayers()
    {
        var odd = Architecture.Infer(["a.4000000000.weight", "a.100000.weight", "a.7.", "b.weight"]);
        Assert.Equal("a.", odd.LayerPrefix);
        Assert.Null(odd.LayerOf("a.4000000000.weight"));
        Assert.Null(odd.LayerOf("a.100000.weight"));
        Assert.Null(odd.LayerOf("a.-1.weight"));
        Assert.Equal((7, ""), odd.LayerOf("a.7."));
        // A place for every tensor is none: such a file is one module.
        Assert.Single(Architecture.Infer(Enumerable.Range(0, 1000).Select(i => $"p{i}x.0.weight")).Modules);
        Assert.Equal("", Architecture.Infer(["weight"]).LayerPrefix);
    }

    /// <summary>The table of docs/mergekit.md, which a reader looks up a model in.</summary>
    [Fact]
    public void TheDocumentedTableIsThatOfTheCode()
    {
        var text = new StringBuilder("| class | model_type | module | layers | number of layers |\n|---|---|---|---|---|\n");
        foreach (var family in ArchitectureTable.All.OrderBy(family => family.ClassNames[0], StringComparer.Ordinal))
            foreach (var module in family.Modules)
            {
                bool first = module.Name == family.ModuleName;
                string count = module.LayerPrefix.Length == 0 ? "" : module.LayerCountKey is { } key ? $"`{key}`" : "by the names";
                text.Append($"| {(first ? string.Join(", ", family.ClassNames) : "")} | {(first ? family.ModelType : "")} | {module.Name} | ");
                text.Append($"{(module.LayerPrefix.Length == 0 ? "none" : $"`{module.LayerPrefix}*`")} | {count} |\n");
            }
        GoldenText.Match("architectures.md", text.ToString());
        string page = File.ReadAllText(Fixtures.InRepository("docs", "mergekit.md")).ReplaceLineEndings("\n");
        Assert.Contains(text.ToString(), page);
    }
}
