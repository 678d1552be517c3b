using Recall.Configuration;
using Recall.Numerics;

namespace Recall.Tests.Configuration;

/// <summary>Files of mergekit-moe.</summary>
public class MoeConfigTests
{
    static MoeConfig Parse(string text, bool allowEqualModels = false) => MoeConfig.Parse(text, "moe.yaml", allowEqualModels);

    static string Refused(string text) => Assert.Throws<ConfigurationException>(() => Parse(text)).Message;

    const string TwoExperts = "- {source_model: a, positive_prompts: [x]}\n- {source_model: b, positive_prompts: [y]}\n";

    [Fact]
    public void EveryKeyIsRead()
    {
        var config = Parse("""
            base_model: base
            gate_mode: uniform_random
            dtype: bfloat16
            experts_per_token: 1
            architecture: qwen
            experts:
              - source_model: a+adapter
                positive_prompts: [code, "1"]
                negative_prompts: [maths]
                noise_scale: 0.25
                residual_scale: 2
              - source_model: b
            shared_experts:
              - source_model: c
            """);
        Assert.Equal((GateMode.UniformRandom, DType.BF16, 1, "qwen"), (config.GateMode, config.DType, config.ExpertsPerToken, config.Architecture));
        Assert.Equal(["a+adapter", "b", "c"], config.AllExperts.Select(expert => expert.Model.ToString()));
        Assert.Equal(["code", "1"], config.Experts[0].PositivePrompts);
        Assert.Equal(["maths"], config.Experts[0].NegativePrompts);
        Assert.Equal([(0.25, 2.0), (0.0, 1.0), (0.0, 1.0)], config.AllExperts.Select(expert => (expert.NoiseScale, expert.ResidualScale)));
        Assert.False(config.ReadsPrompts);
    }

    [Fact]
    public void DefaultsAreThoseOfMergekit()
    {
        var config = Parse("base_model: base\nunheard: 1\nexperts:\n" + TwoExperts);
        Assert.Equal((GateMode.Hidden, null, 2, null), (config.GateMode, config.DType, config.ExpertsPerToken, config.Architecture));
        Assert.StartsWith("moe.yaml:2:1: key 'unheard' has no meaning here", Assert.Single(config.Notes));
    }

    [Theory]
    [InlineData("experts: []", "moe.yaml:1:1: key 'base_model' is missing")]
    [InlineData("base_model: b", "moe.yaml:1:1: key 'experts' is missing")]
    [InlineData("base_model: b\nexperts: []", "moe.yaml:1:1: key 'experts' is missing")]
    [InlineData("base_model: b\nexperts: [{positive_prompts: [x]}]", "moe.yaml:2:11 experts[0]: key 'source_model' is missing")]
    [InlineData("base_model: b\nexperts_per_token: 3\nexperts:\n" + TwoExperts, "moe.yaml:2:20 experts_per_token: each token goes through 3 experts (experts_per_token), and there are 2")]
    [InlineData("base_model: b\nexperts: [{source_model: a, positive_prompts: [x]}]", "moe.yaml:2:10 experts: each token goes through 2 experts (experts_per_token), and there is 1")]
    [InlineData("base_model: b\nexperts_per_token: 0\nexperts:\n" + TwoExperts, "moe.yaml:2:20 experts_per_token: must lie between 1 and")]
    [InlineData("base_model: b\ngate_mode: hiden\nexperts:\n" + TwoExperts, "moe.yaml:2:12 gate_mode: 'hiden' is not one of")]
    [InlineData("base_model: b\ndtype: int64\nexperts:\n" + TwoExperts, "moe.yaml:2:8 dtype: a model cannot be written in int64")]
    [InlineData("base_model: b\nexperts:\n- {source_model: a, positive_prompts: [x]}\n- {source_model: c}", "moe.yaml:4:3 experts[1]: the expert has no positive_prompts")]
    [InlineData("base_model: b\nexperts:\n- {source_model: a, positive_prompts: [x]}\n- {source_model: c, positive_prompts: [x]}", "moe.yaml:3:1 experts: all experts have the same prompts")]
    [InlineData("base_model: b\nexperts:\n- {source_model: a, positive_prompts: [x]}\n- {source_model: a/, positive_prompts: [y]}", "moe.yaml:3:1 experts: all experts are a;")]
    [InlineData("base_model: b\nexperts:\n- {source_model: a, positive_prompts: x}\n- {source_model: c}", "moe.yaml:3:39 experts[0].positive_prompts: a list is expected here")]
    [InlineData("base_model: b\nexperts:\n- {source_model: a, positive_prompts: [[x]]}\n- {source_model: c}", "moe.yaml:3:40 experts[0].positive_prompts[0]: a text is expected here")]
    [InlineData("base_model: b\nexperts:\n- {source_model: a, noise_scale: -1}\n- {source_model: c}", "moe.yaml:3:34 experts[0].noise_scale: must lie between 0 and")]
    [InlineData("base_model: b\nexperts:\n- {source_model: a, positive_promts: [x]}\n- {source_model: c}", "moe.yaml:3:21 experts[0]: unknown key 'positive_promts'; did you mean 'positive_prompts'?")]
    public void MistakesAreNamedWithTheirPlace(string text, string message) => Assert.StartsWith(message, Refused(text));

    [Fact]
    public void DrawnRoutersNeedNoPrompts()
    {
        foreach (string mode in new[] { "random", "uniform_random" })
            Assert.Equal(2, Parse($"base_model: b\ngate_mode: {mode}\nexperts: [{{source_model: a}}, {{source_model: a}}]").Experts.Length);
    }

    [Fact]
    public void ExpertsThatAreAllTheSameModelAreTakenOnRequest() =>
        Assert.Equal(2, Parse("base_model: b\nexperts:\n- {source_model: a, positive_prompts: [x]}\n- {source_model: a, positive_prompts: [y]}", true).Experts.Length);
}
