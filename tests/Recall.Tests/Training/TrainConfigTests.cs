using Recall.Configuration;
using Recall.Numerics;
using Recall.Training;

namespace Recall.Tests.Training;

public class TrainConfigTests
{
    [Fact]
    public void EveryKeyIsRead()
    {
        var config = TrainConfig.Parse("""
            model: base
            data: [a.jsonl, b.jsonl]
            prompt: "{{question}}"
            answer: "{{answer}}"
            output: out
            lora: {r: 4, alpha: 8, rslora: true, target_modules: [v_proj, q_proj], dropout: 0}
            steps: 30
            batch_size: 4
            accumulate: 2
            learning_rate: 1e-3
            warmup: 5
            schedule: linear
            weight_decay: 0.01
            decay_norms: true
            clip: 0.5
            seed: 3
            max_tokens: 64
            dtype: bfloat16
            """, "train.yaml");
        Assert.Equal(["a.jsonl", "b.jsonl"], config.Data);
        Assert.Equal(["q_proj", "v_proj"], config.Lora!.TargetModules);
        Assert.Equal(4, config.Lora.Scale);
        Assert.Equal(DType.BF16, config.DType);
        var plain = config with { Data = [], Lora = config.Lora with { TargetModules = [] } };
        Assert.Equal(new TrainConfig
        {
            File = "train.yaml", Model = ModelReference.Parse("base"), Output = "out", Prompt = "{{question}}", Answer = "{{answer}}",
            Data = plain.Data, Lora = new LoraOptions { Rank = 4, Alpha = 8, RsLora = true, TargetModules = plain.Lora!.TargetModules },
            Steps = 30, BatchSize = 4, Accumulate = 2, LearningRate = 1e-3, Warmup = 5, Schedule = Schedule.Linear, WeightDecay = 0.01, DecayNorms = true,
            Clip = 0.5, Seed = 3, MaxTokens = 64, DType = DType.BF16,
        }, plain);
    }

    [Fact]
    public void WithoutKeysALoraOfAllLinearLayersIsTrained()
    {
        var config = TrainConfig.Parse("{model: base, output: out}", "train.yaml");
        Assert.Equal((16, 32, LoraOptions.AllModules.Length, 2e-4), (config.Lora!.Rank, config.Lora.Alpha, config.Lora.TargetModules.Length, config.LearningRate));
        Assert.Equal((1.0, 1, null), (config.Clip, config.Epochs, config.Steps));
        var full = TrainConfig.Parse("{model: base, output: out, full: true, clip: 0}", "train.yaml");
        Assert.Equal((null, 2e-5, null), (full.Lora, full.LearningRate, full.Clip));
        Assert.Equal(2, TrainConfig.Parse("{model: base, output: out, lora: {r: 8}}", "train.yaml").Lora!.Scale);
    }

    [Theory]
    [InlineData("output: o", "train.yaml:1:1: key 'model' is missing")]
    [InlineData("model: m", "train.yaml:1:1: key 'output' is missing")]
    [InlineData("model: m\noutput: o\nlearning_rat: 1", "train.yaml:3:1: unknown key 'learning_rat'; did you mean 'learning_rate'?")]
    [InlineData("model: m\noutput: o\nfull: true\nlora: {}", "train.yaml:3:7 full: either 'full' or 'lora'")]
    [InlineData("model: m\noutput: o\nsteps: 3\nepochs: 2", "train.yaml:3:8 steps: either 'steps' or 'epochs'")]
    [InlineData("model: m+a\noutput: o", "train.yaml:1:8 model: a new adapter on top of an adapter")]
    [InlineData("model: m\noutput: o\nlora: {dropout: 0.1}", "train.yaml:3:17 lora.dropout: must be 0")]
    [InlineData("model: m\noutput: o\nlora: {r: 0}", "train.yaml:3:11 lora.r: must lie between 1 and")]
    [InlineData("model: m\noutput: o\nlora: {target_modules: [q_prj]}", "'q_prj' is no linear layer of a block; known: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, ")]
    [InlineData("model: m\noutput: o\nlora: {target_modules: [q_prj]}", ", or the word all-linear; did you mean 'q_proj'?")]
    [InlineData("model: m\noutput: o\nwarmup: 1.5", "train.yaml:3:9 warmup: a number of steps, or a share")]
    [InlineData("model: m\noutput: o\nlearning_rate: fast", "train.yaml:3:16 learning_rate: a number is expected here")]
    [InlineData("model: m\noutput: o\ndtype: int8", "train.yaml:3:8 dtype: unknown type 'int8'; known: float32, bfloat16, float16")]
    [InlineData("model: m\noutput: o\nbatch_size: 0", "train.yaml:3:13 batch_size: must lie between 1 and")]
    public void MistakesAreNamedWithTheirPlace(string text, string message) =>
        Assert.Contains(message, Assert.Throws<ConfigurationException>(() => TrainConfig.Parse(text, "train.yaml")).Message);

    [Fact]
    public void TheLearningRateRisesFromZeroAndFallsToZero()
    {
        var config = TrainConfig.Parse("{model: m, output: o, learning_rate: 1, warmup: 0.1}", "t");
        Assert.Equal([0, 0.5, 1], Enumerable.Range(0, 3).Select(step => config.LearningRateAt(step, 20)));
        Assert.Equal(0.5, config.LearningRateAt(11, 20), 1e-12);
        Assert.Equal(0.5, (config with { Schedule = Schedule.Linear }).LearningRateAt(11, 20), 1e-12);
        Assert.Equal(1, (config with { Schedule = Schedule.Constant }).LearningRateAt(19, 20));
        Assert.Equal(1, (config with { Warmup = 0 }).LearningRateAt(0, 1));
    }
}
