namespace Recall.Cli.Tests.Commands;

/// <summary>What is typed and changes nothing is said in one line, not ignored in silence.</summary>
public sealed class UnusedFlagsTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public UnusedFlagsTests()
    {
        TinyModel.Write(_folder["a"], 1);
        TinyModel.Write(_folder["b"], 2);
        string models = $"models: [{{model: {_folder["a"]}}}, {{model: {_folder["b"]}}}]\nparameters: {{weight: 1}}\n";
        File.WriteAllText(_folder["merge.yaml"], "merge_method: linear\n" + models);
        string random = $"merge_method: dare_linear\nbase_model: {_folder["a"]}\n"
            + models.Replace("weight: 1", "weight: 1, density: 0.5", StringComparison.Ordinal);
        File.WriteAllText(_folder["random.yaml"], random);
        File.WriteAllText(_folder["multi.yaml"], $"name: first\nmerge_method: linear\n{models}---\nmerge_method: linear\n{models}");
        File.WriteAllText(_folder["mixed.yaml"], $"name: first\n{random}---\nmerge_method: linear\n{models}");
        File.WriteAllText(_folder["raw.yaml"], "merge_method: linear\n" + models.Replace("}", "/model.safetensors}", StringComparison.Ordinal)
            .Replace("1/model.safetensors}", "1}", StringComparison.Ordinal));
        File.WriteAllText(_folder["stack.yaml"], $"layer_slices: [{{model: {_folder["a"]}, start: 0, end: 2}}]\n");
        File.WriteAllText(_folder["moe.yaml"],
            $"base_model: {_folder["a"]}\ngate_mode: random\nexperts: [{{source_model: {_folder["a"]}}}, {{source_model: {_folder["b"]}}}]\n");
        File.WriteAllText(_folder["ids.jsonl"], "[1, 2, 3]\n");
    }

    [Theory]
    [InlineData("--weights w.json: is not read; the merge has no layer weights", "merge {merge.yaml} {out} --weights w.json")]
    [InlineData("--random-seed 3: without effect: the method linear draws no random numbers", "merge {merge.yaml} {out} --seed 3")]
    [InlineData("--random-seed 0: without effect: the method linear draws no random numbers", "plan {merge.yaml} --no-probe --random-seed 0")]
    [InlineData("--random-seed 3: without effect: the method linear", "raw {raw.yaml} {out} --seed 3")]
    [InlineData("--random-seed 3: without effect: none of the merges that are run draws random numbers",
        "multi {multi.yaml} --out-path {out} --intermediate-dir {parts} --seed 3")]
    [InlineData("--weights, --random-seed: without effect in bakllama", "bakllama {stack.yaml} {out} --weights w.json --seed 3")]
    [InlineData("--weights w.json: is not read", "plan {merge.yaml} --no-probe --weights w.json")]
    [InlineData("--cuda, -v: of mergekit, without meaning here", "merge {merge.yaml} {out} -v --cuda")]
    [InlineData("--weights, --allow-crimes: without effect in moe", "moe {moe.yaml} {out} --weights w.json --allow-crimes")]
    [InlineData("--weights, --allow-crimes, --no-copy-tokenizer: without effect in raw", "raw {raw.yaml} {out} --weights w --allow-crimes --no-copy-tokenizer")]
    [InlineData("--weights: without effect in bakllama", "bakllama {stack.yaml} {out} --weights w.json")]
    [InlineData("--weights: without effect in layershuffle", "layershuffle {out} -m {a} -m {b} --weights w.json --dry-run --print-yaml")]
    [InlineData("--dry-run alone shows nothing", "layershuffle {out} -m {a} -m {b} --dry-run")]
    [InlineData("--dry-run alone shows nothing", "legacy {out} --merge {a} --method linear --weight 1 --dry-run")]
    [InlineData("--naive-count: of mergekit, without meaning here", "legacy {out} --merge {a} --method linear --weight 1 --naive-count")]
    [InlineData("parameter 'density' has no meaning to the method linear", "legacy {out} --merge {a} --method linear --weight 1 --density 1")]
    [InlineData("--pooling: without effect with --tokens", "represent {a} {ids.jsonl} --ids -o {out} --tokens --pooling last")]
    [InlineData("--text, --max-tokens: without effect with --ids", "represent {a} {ids.jsonl} --ids -o {out} --max-tokens 2 --text x")]
    public void WhatChangesNothingIsSaid(string note, string line)
    {
        var run = Session.Run([.. line.Split(' ').Select(word => word is ['{', .. var name, '}'] ? _folder[name] : word)]);
        Assert.Equal(0, run.ExitCode);
        Assert.Contains($"note: {note}", run.Error.Replace("note: recall legacy --print-yaml:4:18 models[0].parameters.density: ", "note: ", StringComparison.Ordinal)
            + run.Out);
    }

    [Theory]
    [InlineData("--window, --text-tokens: without effect without --text", "--tasks", "no.jsonl", "--window", "4", "--text-tokens", "9")]
    [InlineData("--split: without effect without a task file of lm-eval", "--tasks", "no.jsonl", "--split", "test")]
    [InlineData("--limit, --split, --max-length: without effect without --tasks", "--text", "no.txt", "--limit", "4", "--split", "test", "--max-length", "9")]
    public void EvalSaysItBeforeItReads(string note, params string[] options)
    {
        var run = Session.Run(["eval", _folder["a"], .. options]);
        Assert.Equal(1, run.ExitCode);
        Assert.StartsWith($"note: {note}\nrecall: no.", run.Error);
    }

    [Theory, InlineData("merge {random.yaml} {out} --seed 3")]
    [InlineData("moe {moe.yaml} {out} --seed 3"), InlineData("layershuffle {out} -m {a} -m {b} --seed 3")]
    [InlineData("multi {mixed.yaml} --out-path {out} --intermediate-dir {parts} --seed 3"), InlineData("merge {merge.yaml} {out}")]
    public void ASeedThatDrawsIsNoNote(string line)
    {
        var run = Session.Run([.. line.Split(' ').Select(word => word is ['{', .. var name, '}'] ? _folder[name] : word)]);
        Assert.Equal(0, run.ExitCode);
        Assert.DoesNotContain("seed", run.Error);
    }

    [Fact]
    public void AnAdapterTakesNoOptionsOfCheckpoints()
    {
        var run = Session.Run("merge", _folder["merge.yaml"], _folder["out"], "--as-adapter", "--out-shard-size", "5B", "--no-write-model-card");
        Assert.StartsWith("note: --out-shard-size, --no-write-model-card: without effect with --as-adapter\n", run.Error);
        run = Session.Run("inspect", TinyModel.WriteAdapter(_folder["adapter"], 3), "--tensors");
        Assert.Equal((0, "note: --tensors: without effect for an adapter by itself\n"), (run.ExitCode, run.Error));
    }

    public void Dispose() => _folder.Dispose();
}
