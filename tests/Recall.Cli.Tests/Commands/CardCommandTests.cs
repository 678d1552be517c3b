using System.Text.Json.Nodes;
using Recall.Checkpoints.Lora;

namespace Recall.Cli.Tests.Commands;

public class CardCommandTests
{
    static string Texts(TemporaryFolder folder)
    {
        string path = folder["texts.jsonl"];
        File.WriteAllLines(path, Enumerable.Range(0, 6).Select(i => $$"""{"ids": [{{i}}, 3, {{i + 6}}, 9, 11], "answer": 3}"""));
        return path;
    }

    [Fact]
    public void ACardIsMadeShownAndFoundByAMerge()
    {
        using var folder = new TemporaryFolder();
        string[] models = [.. Enumerable.Range(0, 3).Select(i => TinyModel.Write(folder[$"m{i}"], i))];
        string card = Path.Combine(models[1], "card.safetensors"), texts = Texts(folder);
        var made = Session.Run("card", models[1], "--samples", texts, "--rank", "4", "--out", card, "--json");
        Assert.Equal((0, ""), (made.ExitCode, made.Error));
        var shown = JsonNode.Parse(made.Out)!;
        Assert.Equal(("4", 1, 30), ((string)shown["rank"]!, (int)shown["experts"]!, (int)shown["tokens"]!));
        Assert.Equal(made.Out, Session.Run("inspect", card, "--json").Out);
        Assert.Contains("weight of answers", Session.Run("inspect", card).Out, StringComparison.Ordinal);
        Assert.Null(shown["demand"]);
        Assert.Contains("not measured (--base)", Session.Run("inspect", card).Out, StringComparison.Ordinal);

        File.WriteAllText(folder["merge.yaml"], $"merge_method: recall\nbase_model: {models[0]}\nmodels:\n- {models[1]}\n- {{model: {models[2]}, samples: {texts}}}\n");
        Assert.Contains("note: combine: distil: 1 of 2 experts have texts, 1 a card", Session.Run("plan", folder["merge.yaml"], "--no-probe").Out, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^time +.* G multiplications: .* of forward passes at .* G/s, .* in float32 at .* G/s, .* in double at .* G/s\)$",
            Session.Run("plan", folder["merge.yaml"]).Out);
        var merged = Session.Run("merge", folder["merge.yaml"], folder["merged"]);
        Assert.Equal(0, merged.ExitCode);
        Assert.StartsWith("note: combine: distil: 1 of 2 experts have texts, 1 a card", merged.Error, StringComparison.Ordinal);
        Assert.Equal(2, (int)JsonNode.Parse(Session.Run("inspect", folder["merged", "card.safetensors"], "--json").Out)!["experts"]!);
    }

    [Fact]
    public void WithItsBaseACardSaysWhatItsTaskAsksForAndMergesWeighByIt()
    {
        using var folder = new TemporaryFolder();
        string[] models = [.. Enumerable.Range(0, 3).Select(i => TinyModel.Write(folder[$"m{i}"], i))];
        string card = Path.Combine(models[1], "card.safetensors"), texts = Texts(folder);
        var made = Session.Run("card", models[1], "--base", models[0], "--samples", texts, "--out", card, "--json");
        Assert.Equal((0, ""), (made.ExitCode, made.Error));
        Assert.InRange((double)JsonNode.Parse(made.Out)!["demand"]!, 0.001, 0.5);
        Assert.Contains("of what it does is missing with half of its update", Session.Run("inspect", card).Out, StringComparison.Ordinal);

        File.WriteAllText(folder["merge.yaml"], $"merge_method: recall\nbase_model: {models[0]}\nmodels:\n- {models[1]}\n- {{model: {models[2]}, samples: {texts}}}\n");
        var merged = Session.Run("merge", folder["merge.yaml"], folder["merged"]);
        Assert.Equal(0, merged.ExitCode);
        Assert.Matches($@"(?m)^note: demand: the experts weigh {models[1]} [0-9.]+, {models[2]} [0-9.]+$", merged.Error);
        var other = Session.Run("card", models[1], "--base", folder["none"], "--samples", texts, "--out", card);
        Assert.Equal(1, other.ExitCode);
        Assert.Contains(folder["none"], other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AdaptersAreMergedIntoOne()
    {
        using var folder = new TemporaryFolder();
        string model = TinyModel.Write(folder["m"], 1), texts = Texts(folder);
        foreach (int seed in (int[])[1, 2])
        {
            float[] Values(int count) => [.. Enumerable.Range(0, count).Select(i => MathF.Sin(i * seed + seed))];
            LoraAdapterWriter.Write(folder[$"a{seed}"],
                [new LoraFactors("model.layers.1.mlp.up_proj", TinyModel.Inner, TinyModel.Hidden, 2, Values(2 * TinyModel.Hidden), Values(2 * TinyModel.Inner), 2)],
                new LoraWriteOptions { BaseModel = model });
        }
        string Entry(int seed) => $"- {{model: {model}+{folder[$"a{seed}"]}, samples: {texts}}}\n";
        File.WriteAllText(folder["merge.yaml"], $"merge_method: recall\nbase_model: {model}\nmodels:\n{Entry(1)}{Entry(2)}recall: {{combine: align}}\n");
        var run = Session.Run("merge", folder["merge.yaml"], folder["whole"], "--as-adapter");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.StartsWith($"{folder["whole"]}: adapter of rank 4 on one layer, nothing lost, ", run.Out, StringComparison.Ordinal);
        Assert.Equal(0, Session.Run("merge", folder["merge.yaml"], folder["dense"]).ExitCode);
        Assert.Equal(0, Session.Run("diff", folder["dense"], $"{model}+{folder["whole"]}", "--tolerance", "2e-5").ExitCode);

        var cut = JsonNode.Parse(Session.Run("merge", folder["merge.yaml"], folder["cut"], "--as-adapter", "--rank", "2", "--json").Out)!;
        Assert.Equal(2, (int)cut["rank"]!);
        Assert.InRange((double)cut["most_lost"]!, 1e-9, 1);
        var alone = Session.Run("merge", folder["merge.yaml"], folder["x"], "--rank", "2");
        Assert.Equal(2, alone.ExitCode);
        Assert.Contains("--rank is that of the adapter which --as-adapter writes: give both", alone.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--rank", "0", "--rank 0: a number above 0, or full, is expected")]
    [InlineData("--count", "0", "--count 0: 1 or more is expected")]
    [InlineData("--answers", "-1", "--answers -1: 0 or more is expected")]
    public void NumbersOutOfRangeAreRefused(string option, string value, string message)
    {
        var run = Session.Run("card", "m", "--samples", "s", "--out", "c", option, value);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }
}
