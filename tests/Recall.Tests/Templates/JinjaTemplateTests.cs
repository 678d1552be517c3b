using System.Text.Json.Nodes;
using CsCheck;
using Recall.Templates;

namespace Recall.Tests.Templates;

/// <summary>What templates print, which of their errors say where, and that none runs away.</summary>
public class JinjaTemplateTests
{
    [Theory]
    [InlineData("{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f }}", "1 1.0 True None ['x', \"it's\"] {'k': 1e-07}")]
    [InlineData("{% for x in e %}{{ loop.index0 }}{{ x }};{% endfor %}", "0x;1it's;")]
    [InlineData("{{ 'ABCDE'[a] }}{{ e[-1] }}{{ e[:1] }}", "Bit's['x']")]
    [InlineData("{{ -7 % 3 }} {{ 7 // 2 }} {{ 2 ** 3 }} {{ 'ab' * 2 }} {{ 'a' < 'b' }} {{ 1 == '1' }} {{ 1 == 1.0 }}", "2 3 8 abab True False True")]
    [InlineData("{{ e | join('-') }} {{ e | length }} {{ e.index('x') }} {{ '%s=%d' % ('k', 3) }} {{ 2.5 | round }}", "x-it's 2 0 k=3 2.0")]
    [InlineData("{{ g }} {{ h }}", "12345678901234567890123 9007199254740993")]
    [InlineData("a\n{% if c %}\nb\n{% endif %}\n", "a\n\nb\n\n")]
    [InlineData("{% raw %}{{ a }}{% endraw %}", "{{ a }}")]
    [InlineData("{{ 'x' if not c }}{{ nope is defined }}{{ nope | default('d') }}", "Falsed")]
    public void ValuesPrintAsInPython(string template, string text) =>
        Assert.Equal(text, JinjaTemplate.Parse(template, "t").Render(Variables()));

    [Fact]
    public void ChatTemplatesTrimBlocksAndLetVariablesBeAbsent() =>
        Assert.Equal("a\nb\nc", JinjaTemplate.Parse("a\n{% if true %}\nb\n{% endif %}\nc{{ nope }}\n", "t", JinjaOptions.Chat).Render([]));

    [Theory]
    [InlineData("a\nb {{ a }", "line 2")]
    [InlineData("a\n\n{% if a %}b", "line 3")]
    [InlineData("{{ a }}\n\n{{ 'open }}", "line 3")]
    [InlineData("{{ a }}\n{{ quest }}", "line 2: there is no 'quest' in the row; its fields are 'a'")]
    [InlineData("\n{% for x in nope %}{% endfor %}", "line 2")]
    [InlineData("{{ nope.field }}", "line 1")]
    [InlineData("{# \n #}{{ raise_exception('mine') }}", "line 2: mine")]
    [InlineData("{{ 1 / 0 }}", "division by zero")]
    [InlineData("{{ 'a' + 1 }}", "no meaning between a text and a number")]
    [InlineData("{{ System.IO.File }}", "'System'")]
    [InlineData("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "calls itself")]
    [InlineData("{% set x = 'aaaaaaaaaa' * 16000000 %}", "16 Mi")]
    public void ErrorsSayWhereAndWhy(string template, string reason)
    {
        var error = Assert.Throws<RecallException>(() => JinjaTemplate.Parse(template, "file.yaml:3:9 text").Render(Variables()));
        Assert.StartsWith("file.yaml:3:9 text: the template", error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void NearestFieldIsSuggested() =>
        Assert.Contains("did you mean 'question'?", Assert.Throws<RecallException>(() =>
            JinjaTemplate.Parse("{{ qestion }}", "t").Render(new JsonObject { ["question"] = "q" })).Message);

    [Fact]
    public void LoopsWithoutEndAndNestingWithoutEndAreStopped()
    {
        Assert.Throws<RecallException>(() =>
            JinjaTemplate.Parse("{% for i in range(100000000) %}{% for j in range(1000) %}a{% endfor %}{% endfor %}", "t").Render([]));
        Assert.Throws<RecallException>(() => JinjaTemplate.Parse("{{ " + new string('(', 20_000), "t"));
        Assert.Throws<RecallException>(() => JinjaTemplate.Parse(new string('x', 2_000_000), "t"));
    }

    [Fact]
    public void TextsComeThroughUnchanged() => Gen.String.Sample(text =>
    {
        string whole = System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));
        return Echo.Render(new JsonObject { ["text"] = whole }) == whole;
    });

    [Fact]
    public void OneTemplateServesManyThreads() => Parallel.For(0, 200, i =>
        Assert.Equal($"row {i}", Echo.Render(new JsonObject { ["text"] = $"row {i}" })));

    static readonly JinjaTemplate Echo = JinjaTemplate.Parse("{{ text }}", "t");

    static JsonObject Variables() => JsonNode.Parse("""
        {"a": 1, "b": 1.0, "c": true, "d": null, "e": ["x", "it's"], "f": {"k": 1e-7}, "g": 12345678901234567890123, "h": 9007199254740993}
        """)!.AsObject();
}
