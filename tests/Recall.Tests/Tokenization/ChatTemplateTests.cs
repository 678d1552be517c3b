using System.Text;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Templates;
using Recall.Tokenization;

namespace Recall.Tests.Tokenization;

/// <summary>Which template a model has, and what the bundled ones print.</summary>
public class ChatTemplateTests
{
    [Theory]
    [InlineData("chatml", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n",
        "<|im_start|>assistant\n")]
    [InlineData("llama3", "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        + "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n")]
    [InlineData("mistral", "<s>[INST] Be brief.\n\nHi [/INST] Hello</s>[INST] Bye [/INST]", "")]
    [InlineData("alpaca", "Be brief.\n\n### Instruction:\nHi\n\n### Response:\nHello</s>\n\n### Instruction:\nBye\n\n", "### Response:\n")]
    [InlineData("exaone", "[|system|]Be brief.[|endofturn|]\n[|user|]Hi\n[|assistant|]Hello[|endofturn|]\n[|user|]Bye\n", "[|assistant|]")]
    public void BundledTemplatesPrintTheirFormat(string name, string turns, string prompt)
    {
        var template = JinjaTemplate.Parse(ChatTemplate.Named(name), name, JinjaOptions.Chat);
        JsonObject Variables(bool ask) => new()
        {
            ["messages"] = new JsonArray(Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye")),
            ["bos_token"] = "<s>",
            ["eos_token"] = "</s>",
            ["add_generation_prompt"] = ask,
        };
        Assert.Equal(turns, template.Render(Variables(false)));
        Assert.Equal(turns + prompt, template.Render(Variables(true)));
    }

    static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };

    [Fact]
    public void EveryBundledTemplateIsTested() =>
        Assert.Equal(["alpaca", "chatml", "exaone", "llama3", "mistral"], BundledTemplates.Names);

    [Fact]
    public void TheMostCommonTemplateIsTaken()
    {
        IReadOnlyList<CheckpointFile> Model(string config, string? file = null) =>
        [
            new CheckpointFile("tokenizer_config.json", null, Encoding.UTF8.GetBytes(config)),
            .. file is null ? Array.Empty<CheckpointFile>() : [new CheckpointFile("chat_template.jinja", null, Encoding.UTF8.GetBytes(file))],
        ];
        var none = Model("{}");
        var text = Model("""{"chat_template":" {{ a }}\n"}""");
        var list = Model("""{"chat_template":[{"name":"tool_use","template":"{{ t }}"},{"name":"default","template":"{{ b }}"}]}""");
        var own = Model("""{"chat_template":"{{ a }}"}""", "{{ b }}");
        Assert.Null(ChatTemplate.MostCommon([none, none]));
        Assert.Equal("{{ a }}", ChatTemplate.MostCommon([none, text, none]));
        Assert.Equal("{{ a }}", ChatTemplate.MostCommon([text, list]));
        Assert.Equal("{{ b }}", ChatTemplate.MostCommon([text, list, own]));
    }

    [Theory]
    [InlineData("chatlm", "did you mean 'chatml'?")]
    [InlineData("{{ short }}", "at least 20 characters with a '{' in it")]
    [InlineData("a text that is long enough, without braces", "at least 20 characters with a '{' in it")]
    [InlineData("{% for message in messages %}{{ message['content'] }}", "this is no Jinja: the template")]
    public void WhatIsNoTemplateIsRefused(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<RecallException>(() => ChatTemplate.Named(text)).Message);
}
