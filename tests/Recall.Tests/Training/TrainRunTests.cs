using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Representations;
using Recall.Tests.Representations;
using Recall.Training;
using static TorchSharp.torch;

namespace Recall.Tests.Training;

/// <summary>From rows to a folder, with a tokenizer of one token a letter.</summary>
public class TrainRunTests : TorchTests
{
    static readonly PromptAnswer[] Rows =
    [
        .. "abcdefghij".Select(letter => new PromptAnswer($"after {letter} comes ", $"{(char)(letter + 1)}")),
    ];

    static int[] Encode(string text) => [1, .. text.Select(letter => letter % 61 + 3)];

    static string Base => Fixtures.Path("training", "base");

    static TrainConfig Config(string output, string more) => TrainConfig.Parse($"model: {Base}\noutput: {output}\nbatch_size: 4\n{more}\n", "train.yaml");

    static TrainResult Run(TrainConfig config, IReadOnlyList<PromptAnswer>? rows = null, IProgress<TrainProgress>? progress = null, Action<string>? note = null) =>
        TrainRun.Run(config, Checkpoint.Open(config.Model.Model.Path), rows ?? Rows, Encode, progress, note, cancellation: TestContext.Current.CancellationToken);

    static Dictionary<string, byte[]> Bytes(string folder) =>
        Directory.GetFiles(folder).ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);

    sealed class Reports(Action<TrainProgress> take) : IProgress<TrainProgress>
    {
        public void Report(TrainProgress value) => take(value);
    }

    [Fact]
    public void AnAdapterIsLearntAndCanBeAppliedToItsBase()
    {
        using var folder = new TemporaryFolder();
        var seen = new List<TrainProgress>();
        var result = Run(Config(folder["adapter"], "lora: {r: 8, alpha: 16}\nlearning_rate: 0.02\nepochs: 20"), progress: new Reports(seen.Add));
        Assert.Equal(60, result.Steps.Length);      // 10 rows in batches of 4: 3 steps an epoch
        Assert.Equal(Enumerable.Range(1, 60), seen.Select(report => report.Step));
        Assert.All(seen, report => Assert.True(report is { Steps: 60, TokensPerSecond: > 0 }));
        Assert.True(result.Steps[^1].Loss < 0.5 * result.Steps[0].Loss, $"{result.Steps[0].Loss} → {result.Steps[^1].Loss}");
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors", "card.safetensors", "recall_training.json"], Bytes(folder["adapter"]).Keys.Order());

        // What is written is what was trained: the loss of base + adapter is that of the last step's model.
        var merged = LoraAdapter.Open(folder["adapter"]).Apply(Checkpoint.Open(Base));
        Assert.True(Loss(merged) < 0.5 * Loss(Checkpoint.Open(Base)));
    }

    /// <summary>Families whose layers are fused, stored the other way round, or experts: trained in full, and by an adapter.</summary>
    [Theory]
    [InlineData("phi3", "down_proj, gate_up_proj, o_proj, qkv_proj")]
    [InlineData("gpt2", "c_attn, c_fc, c_proj")]
    [InlineData("mixtral", "k_proj, o_proj, q_proj, v_proj, w1, w2, w3")]
    public void OtherFamiliesLearnToo(string name, string modules)
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Fixtures.Path("architectures", name));
        var model = ModelReference.Parse(folder.Path);
        Run(Config(folder["adapter"], "lora: {r: 8, alpha: 16}\nlearning_rate: 0.02\nepochs: 15\ncard: none") with { Model = model });
        Run(Config(folder["full"], "full: true\nlearning_rate: 0.005\nepochs: 15\ncard: none") with { Model = model });
        var config = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(folder["adapter", "adapter_config.json"]))!;
        Assert.Equal(modules, string.Join(", ", config["target_modules"]!.AsArray().Select(module => (string)module!).Order()));
        var before = Checkpoint.Open(folder.Path);
        double loss = Loss(before);
        Assert.True(Loss(LoraAdapter.Open(folder["adapter"]).Apply(before)) < 0.8 * loss);
        Assert.True(Loss(Checkpoint.Open(folder["full"])) < 0.8 * loss);
    }

    [Fact]
    public void AnAdapterOfLayersThatTheModelHasNotIsRefused()
    {
        using var folder = new TemporaryFolder();
        var config = Config(folder["adapter"], "lora: {target_modules: [q_proj]}") with { Model = ModelReference.Parse(Fixtures.Path("architectures", "phi3")) };
        Assert.Contains("target_modules: q_proj: the model has no such layer; it has qkv_proj, o_proj, gate_up_proj, down_proj",
            Assert.Throws<RecallException>(() => Run(config)).Message);
    }

    [Fact]
    public void AModelTrainedInFullKeepsItsFilesAndTheTypeOfItsTensors()
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Base);
        File.Copy(Fixtures.Path("training", "README.md"), folder["tokenizer.json"]);     // any bytes do
        var config = Config(folder["out"], "full: true\nlearning_rate: 0.01\nepochs: 10\ndtype: bfloat16") with { Model = ModelReference.Parse(folder.Path) };
        var result = Run(config);
        var (before, after) = (Checkpoint.Open(folder.Path), Checkpoint.Open(folder["out"]));
        Assert.Equal(before.Tensors.Sum(tensor => tensor.Shape.Elements), result.TrainedWeights);
        Assert.Equal(before.Tensors.Select(tensor => tensor.Name).Order(), after.Tensors.Select(tensor => tensor.Name).Order());
        Assert.All(after.Tensors, tensor => Assert.Equal(DType.BF16, tensor.DType));
        Assert.Equal("bfloat16", (string?)after.Config["dtype"]);
        Assert.Equal(File.ReadAllBytes(folder["tokenizer.json"]), File.ReadAllBytes(folder["out", "tokenizer.json"]));
        Assert.True(Loss(after) < 0.5 * Loss(before));
        Assert.DoesNotContain(Directory.GetFiles(folder["out"]), file => file.EndsWith(".partial", StringComparison.Ordinal));
    }

    [Fact]
    public void NothingLearntIsWrittenExactlyAsItWas()
    {
        using var folder = new TemporaryFolder();
        Run(Config(folder["out"], "full: true\nlearning_rate: 0\nsteps: 2"));
        var (before, after) = (Checkpoint.Open(Base), Checkpoint.Open(folder["out"]));
        var reader = new TileReader();
        foreach (var tensor in before.Tensors)
        {
            var (expected, actual) = (new float[tensor.Shape.Elements], new float[tensor.Shape.Elements]);
            tensor.Read(reader, 0, expected);
            after.Find(tensor.Name)!.Read(reader, 0, actual);
            Assert.Equal(expected, actual);
        }
    }

    [Theory]
    [InlineData("lora: {r: 2}\nsteps: 5\naccumulate: 2")]
    [InlineData("full: true\nsteps: 5")]
    public void TheSameSeedGivesTheSameBytesAndAnotherSeedOthers(string more)
    {
        using var folder = new TemporaryFolder();
        foreach (var (name, seed) in new[] { ("a", 7), ("b", 7), ("c", 8) }) Run(Config(folder[name], $"{more}\nlearning_rate: 0.01\nseed: {seed}"));
        var (a, b, c) = (Bytes(folder["a"]), Bytes(folder["b"]), Bytes(folder["c"]));
        Assert.Equal(a.Keys.Order(), b.Keys.Order());
        Assert.All(a, file => Assert.Equal(file.Value, b[file.Key]));
        string weights = a.Keys.Single(file => file.EndsWith("model.safetensors", StringComparison.Ordinal));
        Assert.NotEqual(a[weights], c[weights]);
    }

    [Theory]
    [InlineData("lora: {r: 2}")]
    [InlineData("full: true")]
    public void ACancelledRunLeavesNothing(string more)
    {
        using var folder = new TemporaryFolder();
        using var source = new CancellationTokenSource();
        var progress = new Reports(report => { if (report.Step == 2) source.Cancel(); });
        Assert.ThrowsAny<OperationCanceledException>(() =>
            TrainRun.Run(Config(folder["out"], more + "\nsteps: 4"), Checkpoint.Open(Base), Rows, Encode, progress, cancellation: source.Token));
        Assert.False(Directory.Exists(folder["out"]));
    }

    [Fact]
    public void ALossThatIsNoNumberStopsTheRunAndNothingIsWritten()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<RecallException>(() => Run(Config(folder["out"], "full: true\nlearning_rate: 1000\nwarmup: 0\nclip: 0\nsteps: 50\nweight_decay: 100")));
        Assert.Contains("training stopped at step", error.Message);
        Assert.Contains("Lower the learning rate (1000)", error.Message);
        Assert.False(Directory.Exists(folder["out"]));
    }

    [Fact]
    public void LongRowsLoseTheBeginningOfTheirPromptAndANoteSaysSo()
    {
        var notes = new List<string>();
        PromptAnswer[] rows = [new("a long prompt", "xy"), new("p", "a long answer"), new("p", "z")];
        var examples = TrainingExample.Encode(rows, Encode, 2, 6, notes);
        Assert.Equal([.. Encode("mptxy")[1..], 2], examples[0].Ids);
        Assert.Equal(3, examples[0].AnswerStart);
        Assert.Equal(Encode("pa lon")[1..], examples[1].Ids);       // one token of the prompt is kept: the first has nothing to be learnt from
        Assert.Equal(1, examples[1].AnswerStart);
        Assert.Equal([.. Encode("pz"), 2], examples[2].Ids);
        Assert.Equal(2, examples[2].AnswerStart);
        Assert.Equal(2, notes.Count);
        Assert.StartsWith("2 of 3 rows have more than 6 tokens", notes[0]);
        Assert.StartsWith("1 of them", notes[1]);
    }

    [Fact]
    public void DataThatTeachesNothingIsRefused()
    {
        using var folder = new TemporaryFolder();
        var config = Config(folder["out"], "steps: 1");
        Assert.Contains("no rows", Assert.Throws<RecallException>(() => Run(config, [])).Message);
        Assert.Contains("row 2 of the data has no answer", Assert.Throws<RecallException>(() => Run(config, [Rows[0], new("x", " ")])).Message);
        Assert.Contains("gives token 900", Assert.Throws<RecallException>(
            () => TrainRun.Run(config, Checkpoint.Open(Base), Rows, _ => [1, 900, 3], cancellation: TestContext.Current.CancellationToken)).Message);
        Directory.CreateDirectory(folder["out"]);
        File.Copy(Fixtures.Path("training", "README.md"), folder["out", "README.md"]);
        Assert.Contains("is not empty (it holds 'README.md')", Assert.Throws<RecallException>(() => Run(config)).Message);
    }

    [Fact]
    public void AModelWithoutTokenizerIsNamed()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<RecallException>(() => TrainRun.Run(Config(folder["out"], ""), cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("has no tokenizer.json", error.Message);
        Assert.False(Directory.Exists(folder["out"]));
    }

    static double Loss(Checkpoint checkpoint)
    {
        using var quiet = no_grad();
        using var model = LanguageModel.Load(checkpoint, cancellation: TestContext.Current.CancellationToken);
        using var trainer = new Trainer(model, Config("o", "full: true"), 1);
        return trainer.Loss(TrainingExample.Encode(Rows, Encode, 2, 100, []));
    }
}
