using Recall.Configuration;

namespace Recall.Tests.Configuration;

public class LegacyMergeTests
{
    [Fact]
    public void OneNumberHoldsForAllModelsAndTheBaseComesLast() => Assert.Equal(
        """
        merge_method: ties
        base_model: base
        models:
          - model: a
            parameters: {density: 0.5, weight: 1}
          - model: b+lora
            parameters: {density: 0.5, weight: 2}
          - model: base
            parameters: {density: 0.5}
        parameters:
          int8_mask: true
          normalize: false
        dtype: bfloat16

        """,
        new LegacyMerge { Models = ["a", "b+lora"], BaseModel = "base", Densities = [0.5], Weights = [1, 2], Normalize = false, Int8Mask = true, BFloat16 = true }.ToYaml());

    [Fact]
    public void SlerpTakesItsWeightAsT()
    {
        var config = MergeConfig.Parse(new LegacyMerge { Models = ["a", "b"], BaseModel = "a", Method = "slerp", Weights = [0.25] }.ToYaml(), "x");
        Assert.Equal(0.25, config.Parameters.At("t", "any", 0));
        Assert.Equal(2, config.Models.Length);
        Assert.All(config.Models, entry => Assert.Empty(entry.Parameters.All));
    }

    [Theory]
    [InlineData("a: b")]
    [InlineData("it's # here")]
    [InlineData("yes")]
    [InlineData("1e3")]
    [InlineData("~")]
    [InlineData("null")]
    [InlineData("- x")]
    [InlineData("{x}")]
    [InlineData("*x")]
    [InlineData("ein Ordner/ü")]
    public void NamesSurviveTheWayThroughTheFile(string name)
    {
        var config = MergeConfig.Parse(new LegacyMerge { Models = [name, "b"], Weights = [1] }.ToYaml(), "x");
        Assert.Equal(name, config.Models[0].Model.Model.Path);
    }

    [Fact]
    public void WhatFitsNoModelIsRefused()
    {
        string Refused(LegacyMerge merge) => Assert.ThrowsAny<RecallException>(() => MergeConfig.Parse(merge.ToYaml(), "x")).Message;
        Assert.Contains("name each by --merge", Refused(new LegacyMerge { Models = [] }));
        Assert.Equal("--density is given 3 times, for 2 models", Refused(new LegacyMerge { Models = ["a", "b"], Densities = [1, 1, 1] }));
        Assert.Contains("exactly one --weight, its t; 2 are given", Refused(new LegacyMerge { Models = ["a", "b"], Method = "slerp", Weights = [1, 1] }));
        Assert.Contains("must be a finite number", Refused(new LegacyMerge { Models = ["a", "b"], Weights = [double.NaN] }));
        Assert.Contains("holds a control character", Refused(new LegacyMerge { Models = ["a\nmerge_method: linear"] }));
    }
}
