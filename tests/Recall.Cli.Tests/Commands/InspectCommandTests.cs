using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Cli.Tests.Commands;

public class InspectCommandTests
{
    [Fact]
    public void AModelIsShownAsText()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["tiny"], 1);
        File.WriteAllText(folder["tiny", "tokenizer.json"], """{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 2}]}""");
        var run = Session.Run("inspect", folder["tiny"], "--tensors");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Expected.Match("inspect.txt", run.Out.Replace(folder.Path, "MODELS"));
    }

    [Fact]
    public void TheSameIsThereForScripts()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["tiny"], 1);
        using var json = JsonDocument.Parse(Session.Run("inspect", folder["tiny"], "--json").Out);
        Assert.Equal("LlamaForCausalLM", json.RootElement.GetProperty("architecture").GetString());
        Assert.Equal(TinyModel.Layers, json.RootElement.GetProperty("layers").GetInt32());
        Assert.Equal(TinyModel.Tensors.Count, json.RootElement.GetProperty("tensors").GetInt32());
        long parameters = TinyModel.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (a, b) => a * b));
        Assert.Equal(parameters, json.RootElement.GetProperty("parameters").GetInt64());
        Assert.Equal(4 * parameters, json.RootElement.GetProperty("bytes").GetInt64());
        Assert.Equal("F32", json.RootElement.GetProperty("dtypes")[0].GetProperty("dtype").GetString());
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("tensor_list").ValueKind);
    }

    [Fact]
    public void ABareFileHasNoArchitecture()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["tiny"], 1);
        var run = Session.Run("inspect", folder["tiny", "model.safetensors"]);
        Assert.Contains("architecture  unknown", run.Out, StringComparison.Ordinal);
        Assert.Contains("layers        2", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void AnAdapterAloneIsShown()
    {
        using var folder = new TemporaryFolder();
        TinyModel.WriteAdapter(folder["adapter"], 1);
        var run = Session.Run("inspect", folder["adapter"]);
        Assert.Equal(0, run.ExitCode);
        Expected.Match("inspect-adapter.txt", run.Out.Replace(folder.Path, "MODELS"));
    }

    [Fact]
    public void ModulesThatDifferByTheirLayerAreNamedOnce()
    {
        using var folder = new TemporaryFolder();
        TinyModel.WriteAdapter(folder["adapter"], 1);
        string config = folder["adapter", "adapter_config.json"];
        var content = JsonNode.Parse(File.ReadAllText(config))!;
        content["target_modules"] = new JsonArray("model.layers.0.mlp.up_proj", "model.layers.11.mlp.up_proj", "model.layers.3.self_attn.q_proj", "lm_head");
        File.WriteAllText(config, content.ToJsonString());
        Assert.Contains("modules     lm_head, model.layers.*.mlp.up_proj (2), model.layers.3.self_attn.q_proj", Session.Run("inspect", folder["adapter"]).Out,
            StringComparison.Ordinal);
    }

    [Fact]
    public void NamesOutOfAFileCannotSteerTheTerminal()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["tiny"], 1, tensors => tensors["evil\u001b[2J\nname"] = ([1], [1]));
        var run = Session.Run("inspect", folder["tiny"], "--tensors");
        Assert.DoesNotContain("\u001b", run.Out, StringComparison.Ordinal);
        Assert.Contains(@"evil\u001b[2J\u000aname", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", Session.Run("inspect", folder["tiny"], "--tensors", "--json").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void PipedOutputHasNoEscapeCodesAndTheTerminalIsNotOverrun()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["tiny"], 1);
        Assert.DoesNotContain("\u001b", Session.Run("inspect", folder["tiny"], "--tensors").Out, StringComparison.Ordinal);
        var terminal = Session.Run(screen => screen with { OutIsTerminal = true, Width = 80 }, CancellationToken.None, "inspect", folder["tiny"], "--tensors");
        Assert.Contains("\u001b", terminal.Out, StringComparison.Ordinal);
        Assert.All(terminal.Out.Split('\n'), line => Assert.True(Visible(line) <= 80, line));
    }

    static int Visible(string line) => System.Text.RegularExpressions.Regex.Replace(line, "\u001b\\[[0-9;]*m", "").Length;
}
