using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;
using Recall.Tests.Representations;
using Recall.Training;
using static TorchSharp.torch;

namespace Recall.Tests.Training;

/// <summary>Training, step by step, against PyTorch, transformers and PEFT: fixtures/training.</summary>
public class TrajectoryTests : TorchTests
{
    static readonly JsonNode Trajectories = JsonNode.Parse(File.ReadAllText(Fixtures.Path("training", "trajectories.json")))!;

    [Theory]
    [InlineData("lora")]
    [InlineData("lora-accumulate-2")]
    [InlineData("lora-no-decay")]
    [InlineData("lora-fast")]
    [InlineData("lora-attention-rslora")]
    public void LoraTakesTheStepsOfPeft(string name)
    {
        using var scope = NewDisposeScope();
        var @case = Trajectories[name]!;
        var options = new LoraOptions
        {
            Rank = (int)@case["lora"]!["r"]!,
            Alpha = (double)@case["lora"]!["lora_alpha"]!,
            RsLora = (bool?)@case["lora"]!["use_rslora"] ?? false,
            TargetModules = [.. @case["lora"]!["target_modules"]!.AsArray().Select(module => (string)module!)],
        };
        using var model = Load();
        using var lora = LoraUpdate.Of(options, Factors(name, "initial"));
        using var trainer = new Trainer(model, Config(@case, options), @case["steps"]!.AsArray().Count, lora);
        Follow(trainer, @case);

        var final = Factors(name, "final");
        Assert.Equal(final.Keys.Order(), lora.Factors.Keys.Order());
        foreach (var (module, (a, b)) in lora.Factors)
        {
            GoldenTensors.AssertNear(final[module].A, a.detach(), module + " A", 1e-5);
            GoldenTensors.AssertNear(final[module].B, b.detach(), module + " B", 1e-5);
        }
        int batch = 0;
        foreach (var after in @case["loss_after_on_first_5_batches"]!.AsArray()) Assert.Equal((double)after!, trainer.Loss(Batches[batch++]), 1e-4);
        Assert.Equal(5, batch);
    }

    [Theory]
    [InlineData("full", "full.final.safetensors")]
    [InlineData("full-no-norm-decay", null)]
    [InlineData("full-30", "ewc.start.safetensors")]
    public void AllWeightsTakeTheStepsOfPyTorch(string name, string? final)
    {
        using var scope = NewDisposeScope();
        var @case = Trajectories[name]!;
        using var model = Load();
        using var trainer = new Trainer(model, Config(@case, null), @case["steps"]!.AsArray().Count);
        Follow(trainer, @case);
        if (final is null) return;
        var golden = new GoldenTensors(Fixtures.Path("training", final));
        Assert.Equal(golden.Names.Order(), model.Weights.Keys.Order());
        foreach (var (weight, values) in model.Weights) GoldenTensors.AssertNear(golden[weight], values.detach(), weight, 1e-5);
    }

    static readonly ImmutableArray<IReadOnlyList<TrainingExample>> Batches = [.. ReadBatches()];

    static LanguageModel Load() =>
        LanguageModel.Load(Checkpoint.Open(Fixtures.Path("training", "base")), cancellation: TestContext.Current.CancellationToken);

    static TrainConfig Config(JsonNode @case, LoraOptions? lora) => new()
    {
        Model = ModelReference.Parse("base"),
        Output = "",
        Lora = lora,
        LearningRate = (double)@case["lr"]!,
        Warmup = (double)@case["warmup_steps"]!,
        Schedule = (string)@case["schedule"]! == "cosine" ? Schedule.Cosine : Schedule.Constant,
        WeightDecay = (double)@case["weight_decay"]!,
        DecayNorms = !((bool?)@case["no_decay_1d"] ?? false),
        Clip = (double)@case["clip"]!,
        Accumulate = (int)@case["accumulate"]!,
    };

    static void Follow(Trainer trainer, JsonNode @case)
    {
        int accumulate = (int)@case["accumulate"]!, batch = 0;
        foreach (var expected in @case["steps"]!.AsArray())
        {
            var step = trainer.Step(Batches.AsSpan(batch, accumulate).ToArray(), TestContext.Current.CancellationToken);
            batch += accumulate;
            Assert.Equal((double)expected!["lr"]!, step.LearningRate, 1e-12);
            Assert.Equal((double)expected["loss"]!, step.Loss, 2e-5);
            double norm = (double)expected["grad_norm"]!;
            Assert.Equal(norm, step.GradientNorm, 2e-5 * norm);
        }
        Assert.NotEqual(0, batch);
    }

    static IEnumerable<IReadOnlyList<TrainingExample>> ReadBatches()
    {
        using var scope = NewDisposeScope();
        var golden = new GoldenTensors(Fixtures.Path("training", "batches.safetensors"));
        var (ids, mask, labels) = (golden["input_ids"], golden["attention_mask"], golden["labels"]);
        for (long batch = 0; batch < ids.shape[0]; batch++)
        {
            yield return [.. Enumerable.Range(0, (int)ids.shape[1]).Select(row =>
            {
                int length = (int)mask[batch, row].sum().item<long>();
                var rowLabels = labels[batch, row].data<long>().ToArray();
                int start = Array.FindIndex(rowLabels, label => label != -100);
                Assert.Equal(rowLabels[start..length], ids[batch, row].data<long>().ToArray()[start..length]);
                return new TrainingExample([.. ids[batch, row].data<long>().ToArray().Take(length).Select(id => (int)id)], start);
            })];
        }
    }

    static Dictionary<string, (Tensor A, Tensor B)> Factors(string name, string when)
    {
        const string prefix = "base_model.model.", ending = ".lora_A.weight";
        var golden = new GoldenTensors(Fixtures.Path("training", name, when, "adapter_model.safetensors"));
        return golden.Names.Where(tensor => tensor.EndsWith(ending, StringComparison.Ordinal))
            .ToDictionary(tensor => tensor[prefix.Length..^ending.Length], tensor => (golden[tensor], golden[tensor.Replace("lora_A", "lora_B")]));
    }
}
