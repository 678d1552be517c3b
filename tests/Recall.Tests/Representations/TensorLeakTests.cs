using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;
using Recall.Training;
using static TorchSharp.torch;

namespace Recall.Tests.Representations;

/// <summary>Alone in time, since torch counts the tensors of the whole process.</summary>
[CollectionDefinition(nameof(TensorLeakTests), DisableParallelization = true)]
public class AloneInTime;

/// <summary>Work that is done again and again leaves no tensor behind.</summary>
[Collection(nameof(TensorLeakTests))]
public class TensorLeakTests : TorchTests
{
    static Checkpoint Open(string name) => Checkpoint.Open(Fixtures.Path("architectures", name));

    static LanguageModel Load(string name) => LanguageModel.Load(Open(name), cancellation: TestContext.Current.CancellationToken);

    static void AssertNothingStays(Action work)
    {
        work();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long before = Tensor.TotalCount;
        for (int i = 0; i < 5; i++) work();
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Theory]
    [InlineData("qwen2-sliding")]
    [InlineData("gemma2")]
    [InlineData("gpt2")]
    [InlineData("gpt-neox")]
    [InlineData("qwen2-moe")]
    [InlineData("granitemoe")]
    public void LayersAndBatches(string name)
    {
        using var quiet = no_grad();
        var checkpoint = Open(name);
        var options = BlockOptions.Read(checkpoint);
        var reader = new TileReader();
        AssertNothingStays(() =>
        {
            using var model = Load(name);
            using var weights = new LayerWeights(options);
            using var batch = TokenBatch.Of([[1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 4]], padLeft: true);
            using var context = AttentionContext.Of(options, batch);
            using var hidden = model.Forward(batch.Ids, context);
            using var logits = model.Logits(hidden);
            using var pooled = batch.Pool(hidden, Pooling.Mean);
            using var last = batch.Pool(hidden, Pooling.Last);
            using var next = weights.Read(checkpoint, 1, reader).Forward(hidden, context);
        });
    }

    [Fact]
    public void StreamsOfRepresentations()
    {
        (string, Checkpoint)[] models = [("a", Open("llama")), ("b", Open("llama"))];
        Sample[] samples = [new(0, "one", [1, 2, 3]), new(1, "two", [1, 9, 4, 5]), new(2, "one again", [1, 2, 3])];
        AssertNothingStays(() => RecallWeights.Compute(models, 1, samples, new RecallOptions { Compute = ComputeType.Float32 }));
        AssertNothingStays(() =>
        {
            var options = new RepresentOptions { Pooling = null };
            Represent.Run("a", models[0].Item2, [[1, 2, 3]], options, _ => { }, (_, _) => { }, TestContext.Current.CancellationToken);
        });
    }

    [Fact]
    public void GenerationAndTraining()
    {
        using var model = Load("llama");
        AssertNothingStays(() => Generation.Greedy(model, [[1, 5, 7], [1]], 10, [], TestContext.Current.CancellationToken));
        var config = TrainConfig.Parse("{model: m, output: o}", "train.yaml");
        AssertNothingStays(() =>
        {
            using var lora = LoraUpdate.Create(model.Options, config.Lora!, 0);
            using var trainer = new Trainer(model, config, 2, lora);
            for (int step = 0; step < 2; step++) trainer.Step([[new TrainingExample([4, 5, 6], 2)]], TestContext.Current.CancellationToken);
        });
    }
}
