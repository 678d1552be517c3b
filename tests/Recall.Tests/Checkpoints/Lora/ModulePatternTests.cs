using Recall.Checkpoints.Lora;

namespace Recall.Tests.Checkpoints.Lora;

public class ModulePatternTests
{
    [Theory]
    [InlineData("q_proj", "model.layers.0.self_attn.q_proj", true)]
    [InlineData("q_proj", "q_proj", true)]
    [InlineData("proj", "model.q_proj", false)]
    [InlineData("model.layers.1.q_proj", "model.layers.11.q_proj", false)]
    [InlineData("layers.0.mlp", "model.layers.0.mlp", true)]
    [InlineData("layers.0.mlp", "model.layers_0.mlp", true)]        // the dot of a pattern is any character, in PEFT too
    [InlineData(@"layers\.0\.mlp", "model.layers_0.mlp", false)]
    [InlineData("^model.layers.0", "model.layers.0", true)]
    [InlineData("^layers.0", "model.layers.0", false)]
    [InlineData(".*down_proj", "model.mlp.down_proj", true)]
    [InlineData("(gate|up)_proj", "mlp.up_proj", true)]
    [InlineData("q_proj|k_proj", "a.k_proj", true)]
    [InlineData("q_proj|k_proj", "a.k_proj2", false)]
    [InlineData("(?P<kind>q|k)_proj", "a.k_proj", true)]
    [InlineData("(?!k)._proj", "a.q_proj", true)]                   // look-around: the other engine
    [InlineData("(?!k)._proj", "a.k_proj", false)]
    public void PatternFitsTheWholeNameOrWhatFollowsADot(string pattern, string module, bool fits) =>
        Assert.Equal(fits, ModulePattern.AtEnd(pattern, "file: rank_pattern").Fits(module));

    [Theory, InlineData("q_proj("), InlineData("a)|(b"), InlineData("[")]
    public void WhatIsNoExpressionIsRefusedWithItsPlace(string pattern)
    {
        var e = Assert.Throws<RecallException>(() => ModulePattern.AtEnd(pattern, "file: rank_pattern"));
        Assert.StartsWith($"file: rank_pattern: pattern '{pattern}' is not a regular expression", e.Message);
    }

    [Fact]
    public void ExpressionThatNeverEndsIsAnError()
    {
        var slow = ModulePattern.AtEnd(@"(?=(([a-z_]+)+[.0-9]*)+!)x", "file: alpha_pattern");
        string module = string.Concat(Enumerable.Repeat("abcdefghij", 10));
        Assert.Contains("takes longer", Assert.Throws<RecallException>(() => slow.Fits(module)).Message);
    }
}
