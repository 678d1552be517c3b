using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Representations;

namespace Recall.Tests.Representations;

/// <summary>What config.json says, in both key styles, and what is refused.</summary>
public class BlockOptionsTests
{
    static JsonObject Config(string name, params (string Key, string? Json)[] changes)
    {
        var config = Checkpoint.ReadConfig(Fixtures.Path("architectures", name, "config.json"));
        foreach (var (key, json) in changes)
        {
            if (json is null) config.Remove(key);
            else config[key] = JsonNode.Parse(json);
        }
        return config;
    }

    static void AssertSame(BlockOptions expected, BlockOptions actual)
    {
        Assert.Equal(expected.Kinds.Select(kind => kind.Window), actual.Kinds.Select(kind => kind.Window));
        Assert.Equal(expected.Kinds.Select(Rope), actual.Kinds.Select(Rope));
        Assert.Equal(expected with { Kinds = actual.Kinds }, actual);
    }

    static RopeOptions? Rope(LayerKind kind) => kind.Rope is null ? null : kind.Rope with { ShortFactors = [], LongFactors = [] };

    static IEnumerable<int?> Windows(JsonObject config)
    {
        return BlockOptions.Read(config, "m").Kinds.Select(kind => kind.Window);
    }

    [Fact]
    public void BothKeyStylesSayTheSame()
    {
        AssertSame(BlockOptions.Read(Config("qwen2-sliding"), "m"), BlockOptions.Read(Config("qwen2-sliding", ("rope_theta", null), ("max_window_layers", null),
            ("rope_parameters", """{"rope_type": "default", "rope_theta": 10000.0}"""),
            ("layer_types", """["full_attention", "sliding_attention", "sliding_attention"]""")), "m"));
        AssertSame(BlockOptions.Read(Config("llama-rope-llama3"), "m"), BlockOptions.Read(Config("llama-rope-llama3", ("rope_theta", null), ("rope_scaling", null),
            ("rope_parameters", """
            {"rope_type": "llama3", "rope_theta": 500000, "factor": 8, "high_freq_factor": 4, "low_freq_factor": 1, "original_max_position_embeddings": 96}
            """)), "m"));
    }

    [Fact]
    public void AbsentKeysHaveTheDefaultsOfTheFamily()
    {
        Assert.Equal([4096, 4096, 4096], Windows(Config("mistral", ("sliding_window", null))));
        Assert.Equal([null, null, null], Windows(Config("mistral", ("sliding_window", "null"))));
        Assert.Equal(128, BlockOptions.Read(Config("qwen3", ("head_dim", null)), "m").HeadDim);
        Assert.Equal(4, BlockOptions.Read(Config("llama", ("num_key_value_heads", null)), "m").KeyValueHeads);
        Assert.Equal("llama", BlockOptions.Read(Config("llama", ("architectures", null)), "m").Names.ModelType);
    }

    [Theory]
    [InlineData("num_attention_heads", "0", "num_attention_heads must be a whole number from 1 to")]
    [InlineData("num_attention_heads", "-4", "num_attention_heads must be a whole number from 1 to")]
    [InlineData("num_attention_heads", "4.5", "num_attention_heads must be a whole number from 1 to")]
    [InlineData("num_attention_heads", "\"4\"", "num_attention_heads must be a number")]
    [InlineData("num_attention_heads", "1e300", "num_attention_heads must be a whole number from 1 to")]
    [InlineData("num_attention_heads", null, "num_attention_heads is missing")]
    [InlineData("num_key_value_heads", "3", "which does not divide the 4 attention heads")]
    [InlineData("hidden_size", "50", "which 4 attention heads do not divide")]
    [InlineData("hidden_size", "99999999999", "hidden_size must be a whole number from 1 to")]
    [InlineData("head_dim", "7", "so it must be even")]
    [InlineData("num_hidden_layers", "1000000000", "num_hidden_layers must be a whole number from 1 to")]
    [InlineData("rms_norm_eps", "0", "rms_norm_eps must be above 0")]
    [InlineData("hidden_act", "\"xielu\"", "hidden_act is 'xielu'")]
    [InlineData("hidden_act", "[]", "hidden_act must be a text")]
    [InlineData("attention_bias", "\"yes\"", "attention_bias must be true or false")]
    [InlineData("rope_theta", "0", "rope_theta must be above 1")]
    [InlineData("rope_scaling", "[]", "rope_scaling must be an object")]
    [InlineData("quantization_config", """{"quant_method": "fp8"}""", "quantization_config says that the weights are quantised")]
    [InlineData("partial_rotary_factor", "0.5", "partial_rotary_factor is 0.5, not 1; in this family whole heads turn")]
    [InlineData("rope_parameters", """{"full_attention": {"rope_theta": 1000.0}}""", "rope_parameters.full_attention sets rotary positions for one kind")]
    [InlineData("rope_scaling", """{"rope_type": "longrope"}""", "rope_scaling.short_factor must be a list of 6 numbers")]
    [InlineData("rope_scaling", """{"rope_type": "ntk"}""", "rope_scaling.rope_type is 'ntk'; Recall computes default, linear")]
    [InlineData("rope_scaling", """{"rope_type": "linear"}""", "rope_scaling.factor is missing")]
    [InlineData("rope_scaling", """{"rope_type": "linear", "factor": -2}""", "rope_scaling.factor must be above 0")]
    [InlineData("rope_scaling", """{"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}""", "high_freq_factor must be above")]
    public void ValuesThatMakeNoModelAreRefusedByName(string key, string? json, string message)
    {
        var error = Assert.Throws<RecallException>(() => BlockOptions.Read(Config("llama", (key, json)), "some/model"));
        Assert.StartsWith("some/model: config.json: ", error.Message);
        Assert.Contains(message, error.Message);
    }

    [Theory]
    [InlineData("""["sliding_attention"]""", "has 1 entries for 3 layers")]
    [InlineData("""["sliding_attention", "full_attention", "linear_attention"]""", "holds 'linear_attention'")]
    [InlineData("""[1, 2, 3]""", "must be a list of texts")]
    public void LayerTypesMustFit(string json, string message) =>
        Assert.Contains(message, Assert.Throws<RecallException>(() => BlockOptions.Read(Config("ministral", ("layer_types", json)), "m")).Message);

    [Theory]
    [InlineData("\"mamba\"", """["MambaForCausalLM"]""", "'mamba'")]
    [InlineData("\"llama\"", """["LlamaForSequenceClassification"]""", "LlamaForSequenceClassification")]
    [InlineData(null, null, "is missing")]
    public void AFamilyWithoutForwardPassIsNamedTogetherWithThoseThatHaveOne(string? type, string? architectures, string message)
    {
        var error = Assert.Throws<RecallException>(() => BlockOptions.Read(Config("llama", ("model_type", type), ("architectures", architectures)), "m"));
        Assert.Contains(message, error.Message);
        Assert.Contains("llama, mistral, ministral, ministral3, qwen2, qwen3", error.Message);
        Assert.Contains(", mixtral, ", error.Message);
    }

    [Fact]
    public void WeightsThatDoNotFitTheConfigAreNamed()
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Fixtures.Path("architectures", "llama"));
        string Message(params (string, string?)[] changes)
        {
            File.WriteAllText(folder["config.json"], Config("llama", changes).ToJsonString());
            var cancellation = TestContext.Current.CancellationToken;
            return Assert.Throws<RecallException>(() => LanguageModel.Load(Checkpoint.Open(folder.Path), cancellation: cancellation)).Message;
        }
        Assert.Contains("tensor model.layers.3.input_layernorm.weight is missing", Message(("num_hidden_layers", "4")));
        Assert.Contains("tensor model.layers.0.mlp.gate_proj.weight has shape [32, 48], its config.json asks for [9000, 48]", Message(("intermediate_size", "9000")));
        Assert.Contains("model.layers.0.self_attn.q_proj.bias is missing", Message(("attention_bias", "true")));
    }
}
