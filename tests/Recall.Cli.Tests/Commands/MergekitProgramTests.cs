using Recall.Cli.Commands;

namespace Recall.Cli.Tests.Commands;

/// <summary>The commands that stand for mergekit's other programs.</summary>
public sealed class MergekitProgramTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    string A => TinyModel.Write(_folder["a"], 1);

    string B => TinyModel.Write(_folder["b"], 2);

    string Write(string text)
    {
        File.WriteAllText(_folder["config.yaml"], text);
        return _folder["config.yaml"];
    }

    static string Double(string model, string name = "") =>
        $"{name}merge_method: linear\nmodels: [{{model: {model}, parameters: {{weight: 2}}}}]\nparameters: {{normalize: false}}\n";

    void IsScaled(string output, string model, int seed, float factor, string like = "")
    {
        TinyModel.Write(_folder["wanted"], seed, tensors =>
        {
            foreach (var (name, (shape, values)) in tensors.ToList())
                if (name.Contains(like)) tensors[name] = (shape, [.. values.Select(value => value * factor)]);
        });
        Assert.Equal(0, Session.Run("diff", _folder["wanted"], output, "--tolerance", "1e-6").ExitCode);
    }

    [Fact]
    public void MultiRunsAChainAndKeepsWhatIsThere()
    {
        string config = Write($"{Double("half")}---\n{Double(A, "name: half\n")}");
        string[] line = ["multi", config, "--out-path", _folder["out"], "-I", _folder["parts"]];
        var run = Session.Run(line);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Equal([_folder["parts", "half"], _folder["out"]], run.Out.TrimEnd().Split('\n').Select(text => text.Split(':')[0]));
        IsScaled(_folder["out"], "a", 1, 4);
        run = Session.Run(line);
        Assert.Equal((0, ""), (run.ExitCode, run.Out));
        Assert.Equal($"note: {_folder["parts", "half"]} is there already and is kept\nnote: {_folder["out"]} is there already and is kept\n", run.Error);
        Assert.Equal(2, Session.Run("multi", config, "--out-path", _folder["out"]).ExitCode);
    }

    [Fact]
    public void MultiTellsOfACircleWithItsPlace()
    {
        var run = Session.Run("multi", Write($"{Double("b", "name: a\n")}---\n{Double("a", "name: b\n")}"), "-I", _folder["parts"], "--no-lazy", "--lazy-unpickle");
        Assert.Equal(2, run.ExitCode);
        Assert.EndsWith($"recall: {_folder["config.yaml"]}:1:7 name: these merges need each other in a circle: 'a' needs 'b' needs 'a'\n", run.Error);
    }

    [Fact]
    public void RawTakesBothRulesForPartialTensors()
    {
        TinyModel.Write(_folder["b"], 2, tensors => tensors.Remove("lm_head.weight"));
        string config = Write($"merge_method: linear\nmodels: [{{model: {A}/model.safetensors}}, {{model: {_folder["b"]}/model.safetensors}}]\nparameters: {{weight: 1}}\n");
        var run = Session.Run("raw", config, _folder["out"]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("lacks tensor lm_head.weight, which", run.Error);
        run = Session.Run("raw", config, _folder["all"], "-u");
        Assert.Equal((0, "note: merged from the files that have it: lm_head.weight\n"), (run.ExitCode, run.Error));
        Assert.StartsWith($"{_folder["all"]}: 21 tensors", run.Out);
        run = Session.Run("raw", config, _folder["both"], "--tensor-intersection", "--no-tensor-union");
        Assert.Equal((0, "note: left out, since not all files have it: lm_head.weight\n"), (run.ExitCode, run.Error));
        Assert.StartsWith($"{_folder["both"]}: 20 tensors", run.Out);
        run = Session.Run("raw", config, _folder["none"], "-i", "-u");
        Assert.Equal((2, "recall: --tensor-intersection and --tensor-union exclude one another\nSee: recall raw --help\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public void MoeMakesAMixtureAndTakesTheFlagsOfMergekit()
    {
        string config = Write($"base_model: {A}\ngate_mode: random\nexperts: [{{source_model: {_folder["a"]}}}, {{source_model: {B}}}, {{source_model: {_folder["a"]}}}]\n");
        var run = Session.Run("moe", config, _folder["out"], "--load-in-4bit", "--cuda", "--i-understand-this-is-not-useful-without-training");
        Assert.Equal(0, run.ExitCode);
        Assert.Equal(
            "note: --cuda: of mergekit, without meaning here\nnote: --load-in-4bit: of mergekit, without meaning here\n"
            + "note: 3 experts: not a power of two, which some programs expect\n",
            run.Error);
        Assert.StartsWith($"{_folder["out"]}: 21 tensors", run.Out);
        Assert.Contains("\"num_local_experts\": 3", File.ReadAllText(_folder["out", "config.json"]));
        Assert.Equal(File.ReadAllText(config), File.ReadAllText(_folder["out", "mergekit_moe_config.yml"]));
        Assert.Contains("Mixture of experts from dense models", File.ReadAllText(_folder["out", "README.md"]));
    }

    [Fact]
    public void MoeTellsOfMissingPromptsWithTheirPlace()
    {
        string config = Write($"base_model: {A}\nexperts:\n- {{source_model: {_folder["a"]}}}\n- {{source_model: {B}}}\n");
        var run = Session.Run("moe", config, _folder["out"]);
        Assert.Equal((2, ""), (run.ExitCode, run.Out));
        Assert.StartsWith($"recall: {config}:3:3 experts[0]: the expert has no positive_prompts", run.Error);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Fact]
    public void LegacyMergesByArgumentsAndShowsThem()
    {
        string[] line = ["legacy", _folder["out"], "--merge", A, "--method", "linear", "--weight", "3", "--no-normalize", "--naive-count", "--cuda", "--print-yaml"];
        string yaml = $"merge_method: linear\nmodels:\n  - model: {_folder["a"]}\n    parameters: {{weight: 3}}\nparameters:\n  normalize: false\n";
        Assert.Equal((0, yaml), (Session.Run([.. line, "--dry-run"]) is var shown ? (shown.ExitCode, shown.Out) : default));
        Assert.False(Directory.Exists(_folder["out"]));
        var run = Session.Run(line);
        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith(yaml + _folder["out"], run.Out);
        IsScaled(_folder["out"], "a", 1, 3);
        Assert.Equal(2, Session.Run("legacy", _folder["x"]).ExitCode);
    }

    [Fact]
    public void LayerShuffleDrawsAndWritesItsConfig()
    {
        var run = Session.Run("layershuffle", _folder["out"], "-m", A, "-w", "1", "-m", B, "-w", "0", "--print-yaml", "--write-yaml", _folder["drawn.yaml"], "--dry-run");
        string yaml = $"# Layers drawn with seed 0\nmerge_method: passthrough\nslices:\n  - sources: [{{model: {_folder["a"]}, layer_range: [0, 2]}}]\n";
        Assert.Equal((0, yaml, ""), (run.ExitCode, run.Out, run.Error));
        Assert.Equal(yaml, File.ReadAllText(_folder["drawn.yaml"]));
        Assert.False(Directory.Exists(_folder["out"]));
        Assert.Equal(0, Session.Run("layershuffle", _folder["out"], "-m", A, "-m", B, "--full-random", "-w", "1", "-w", "1", "--random-seed", "5").ExitCode);
        Assert.Contains("\"num_hidden_layers\": 4", File.ReadAllText(_folder["out", "config.json"]));
        run = Session.Run("layershuffle", _folder["other"], "-m", A, "-m", B, "-w", "1");
        Assert.Equal((2, "recall: 1 weights are given for 2 models; give --weight once for each --model\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public void BakllamaScalesTheDownProjections()
    {
        string config = Write($"layer_slices:\n- {{model: {A}, start: 0, end: 2, scale: 0.5}}\n");
        var run = Session.Run("bakllama", config, _folder["out"], "--clone-tensors", "--quiet");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        IsScaled(_folder["out"], "a", 1, 0.5f, like: "down_proj");
    }

    [Fact]
    public void MergekitNamesACommandForEachProgram()
    {
        var run = Session.Run("mergekit");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        string[] verbs = [.. RecallCommand.Verbs().Select(verb => verb.Name)];
        Assert.Equal(10, MergekitCommand.Programs.Count);
        foreach (var (program, command, _) in MergekitCommand.Programs)
        {
            string line = run.Out.Split('\n').Single(text => text.StartsWith(program, StringComparison.Ordinal));
            bool there = command.Length > 0 && verbs.Contains(command.Split(' ')[1]);
            Assert.Contains(there ? command : "none", line);
            // What the table tells people to type is taken by the command.
            if (there) Assert.Empty(RecallCommand.Verbs().Single(verb => verb.Name == command.Split(' ')[1]).Parse(command.Split(' ')[2..]).Errors);
        }
        foreach (string verb in new[] { "merge", "multi", "moe", "raw", "legacy", "layershuffle", "bakllama", "extract-lora", "tokensurgeon" })
            Assert.Contains(MergekitCommand.Programs, program => program.Command.Split(' ').ElementAtOrDefault(1) == verb);
    }

    [Fact]
    public void ScriptsForMergekitRunAsTheyAre()
    {
        string config = Write($"{Double(A)}");
        Assert.Equal(0, Session.Run("multi", config, "--out-path", _folder["out"], "-I", _folder["parts"], "--lazy", "--cuda", "--copy-tokenizer", "-v").ExitCode);
        Assert.False(Directory.Exists(_folder["parts"]));
    }

    public void Dispose() => _folder.Dispose();
}
