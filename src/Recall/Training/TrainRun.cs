using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Numerics;
using Recall.Planning;
using Recall.Representations;
using Recall.Tokenization;
using static TorchSharp.torch;

namespace Recall.Training;

/// <summary>How far training is.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
/// <param name="Loss">Mean loss over the answer tokens of the step's rows.</param>
/// <param name="LearningRate">Of the step.</param>
/// <param name="TokensPerSecond">Real tokens, prompts and answers, since the first step began.</param>
public sealed record TrainProgress(int Step, int Steps, double Loss, double LearningRate, double TokensPerSecond);

/// <summary>What training gave.</summary>
/// <param name="Output">The folder.</param>
/// <param name="Rows">Rows of prompts and answers that were read.</param>
/// <param name="TrainedWeights">How many numbers were trained.</param>
/// <param name="Steps">Every step.</param>
/// <param name="Notes">What the user should know: rows that were cut.</param>
public sealed record TrainResult(string Output, int Rows, long TrainedWeights, ImmutableArray<TrainedStep> Steps, ImmutableArray<string> Notes);

/// <summary>
/// <c>recall train</c>: rows → examples → steps → a checkpoint or an adapter. With the same config, data and thread count it writes
/// the same bytes.
/// </summary>
public static class TrainRun
{
    /// <summary>Does what a training file asks: opens its model, tokenizer and data, then <see cref="Run(TrainConfig, Checkpoint,
    /// IReadOnlyList{PromptAnswer},
    /// Func{string, int[]}, IProgress{TrainProgress}?, Action{string}?, TimeProvider?, CancellationToken)"/>.</summary>
    /// <exception cref="RecallException">As there; also a model or data that is not there, or a model without tokenizer.</exception>
    public static TrainResult Run(
        TrainConfig config, IProgress<TrainProgress>? progress = null, Action<string>? note = null, TimeProvider? time = null,
        CancellationToken cancellation = default)
    {
        var checkpoint = OpenedModel.Open(config.Model).Checkpoint;
        var tokenizer = Tokenizer.Load(checkpoint);
        return Run(config, checkpoint, TrainingRows.Read(config), text => tokenizer.Encode(text), progress, note, time, cancellation);
    }

    /// <summary>
    /// Tunes a model on rows and writes the result, and its card. Cancelled or failed, training leaves nothing behind; what ends the making
    /// of the card leaves the trained model without one.
    /// </summary>
    /// <param name="config">What is asked.</param>
    /// <param name="checkpoint">The model of the config, opened.</param>
    /// <param name="rows">Prompts and answers, templates applied.</param>
    /// <param name="encode">Text to tokens by the model's tokenizer, with those that it adds at the beginning.</param>
    /// <param name="progress">Takes a report after every step.</param>
    /// <param name="note">Takes what the user should know, as soon as it is known.</param>
    /// <param name="time">The clock; that of the system by default.</param>
    /// <param name="cancellation">Ends the work at the next batch.</param>
    /// <exception cref="RecallException">The data, the model or the output folder is not usable, or the loss is not a number any
    /// more.</exception>
    public static TrainResult Run(
        TrainConfig config, Checkpoint checkpoint, IReadOnlyList<PromptAnswer> rows, Func<string, int[]> encode,
        IProgress<TrainProgress>? progress = null,
        Action<string>? note = null, TimeProvider? time = null, CancellationToken cancellation = default)
    {
        OutputFiles.CheckFree(config.Output);
        var options = BlockOptions.Read(checkpoint);
        var notes = new List<string>();
        var examples = TrainingExample.Encode(rows, encode, EndToken(checkpoint), config.MaxTokens, notes);
        CheckVocabulary(examples, options, checkpoint);
        notes.ForEach(text => note?.Invoke(text));
        CheckMemory(config, checkpoint);

        var (steps, trained) = Train(config, checkpoint, options, examples, progress, time ?? TimeProvider.System, cancellation);
        if (config.Card != 0) TrainedCard.Write(config, checkpoint, examples, cancellation);
        return new TrainResult(config.Output, rows.Count, trained, steps, [.. notes]);
    }

    static (ImmutableArray<TrainedStep> Steps, long Trained) Train(
        TrainConfig config, Checkpoint checkpoint, BlockOptions options, IReadOnlyList<TrainingExample> examples,
        IProgress<TrainProgress>? progress, TimeProvider time, CancellationToken cancellation)
    {
        using var model = LanguageModel.Load(checkpoint, cancellation: cancellation);
        using var lora = config.Lora is null ? null : LoraUpdate.Create(options, config.Lora, config.Seed);
        var steps = Steps(config, examples, model, lora, progress, time, cancellation);
        Write(config, checkpoint, model, lora, steps, cancellation);
        long trained = lora is null
            ? model.Weights.Values.Sum(weight => weight.numel())
            : lora.Factors.Values.Sum(factor => factor.A.numel() + factor.B.numel());
        return (steps, trained);
    }

    static ImmutableArray<TrainedStep> Steps(
        TrainConfig config, IReadOnlyList<TrainingExample> examples, LanguageModel model, LoraUpdate? lora,
        IProgress<TrainProgress>? progress, TimeProvider time, CancellationToken cancellation)
    {
        int batches = (examples.Count + config.BatchSize - 1) / config.BatchSize;
        int stepsAnEpoch = (batches + config.Accumulate - 1) / config.Accumulate;
        int count = config.Steps ?? (int)Math.Min((long)stepsAnEpoch * config.Epochs, int.MaxValue);
        var steps = ImmutableArray.CreateBuilder<TrainedStep>();
        using var trainer = new Trainer(model, config, count, lora);
        long start = time.GetTimestamp(), tokens = 0;
        foreach (var batchesOfStep in ShuffledSteps(examples, config).Take(count))
        {
            steps.Add(trainer.Step(batchesOfStep, cancellation));
            tokens += batchesOfStep.Sum(batch => batch.Sum(example => (long)example.Ids.Length));
            double seconds = Math.Max(time.GetElapsedTime(start).TotalSeconds, 1e-9);
            progress?.Report(new TrainProgress(steps.Count, count, steps[^1].Loss, steps[^1].LearningRate, tokens / seconds));
        }
        return steps.ToImmutable();
    }

    /// <summary>Epoch after epoch, each in an order of its own; the last batch and the last step of an epoch may be smaller.</summary>
    static IEnumerable<IReadOnlyList<IReadOnlyList<TrainingExample>>> ShuffledSteps(
        IReadOnlyList<TrainingExample> examples, TrainConfig config)
    {
        using var generator = new Generator((ulong)config.Seed, CPU);
        while (true)
        {
            using var order = randperm(examples.Count, generator: generator).DetachFromDisposeScope();
            var batches = order.data<long>().ToArray().Select(row => examples[(int)row]).Chunk(config.BatchSize);
            foreach (var step in batches.Chunk(config.Accumulate)) yield return step;
        }
    }

    static void Write(
        TrainConfig config, Checkpoint checkpoint, LanguageModel model, LoraUpdate? lora, ImmutableArray<TrainedStep> steps,
        CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        using (var output = new OutputFiles(config.Output))
        {
            output.AddJson("recall_training.json", Record(config, steps));
            if (lora is null) TrainedCheckpoint.Write(output, checkpoint, model, config.DType, cancellation);
            output.Finish();
        }
        if (lora is null) return;
        LoraAdapterWriter.Write(config.Output, lora.ToFactors(), new LoraWriteOptions
        {
            BaseModel = config.Model.Model.Path,
            UseRslora = config.Lora!.RsLora,
            TargetModules = lora.Modules,
            FanInFanOut = model.Options.Traits.StoredTransposed,
            Type = config.DType ?? DType.F32,
        });
    }

    static JsonObject Record(TrainConfig config, ImmutableArray<TrainedStep> steps) => new()
    {
        ["recall_version"] = typeof(TrainRun).Assembly.GetName().Version!.ToString(3),
        ["model"] = config.Model.ToString(),
        ["data"] = new JsonArray([.. config.Data.Select(file => (JsonNode)file)]),
        ["seed"] = config.Seed,
        ["steps"] = new JsonArray([.. steps.Select(step => (JsonNode)new JsonObject
        {
            ["step"] = step.Step,
            ["learning_rate"] = step.LearningRate,
            ["loss"] = step.Loss,
            ["gradient_norm"] = step.GradientNorm,
        })]),
    };

    static int? EndToken(Checkpoint checkpoint)
    {
        var value = checkpoint.Config["eos_token_id"] is JsonArray list ? list.FirstOrDefault() : checkpoint.Config["eos_token_id"];
        return int.TryParse(value?.ToJsonString(), out int id) ? id : null;
    }

    static void CheckVocabulary(IReadOnlyList<TrainingExample> examples, BlockOptions options, Checkpoint checkpoint)
    {
        foreach (int id in examples.SelectMany(example => example.Ids))
        {
            if (id < 0 || id >= options.VocabularySize)
                throw new RecallException(
                    $"{checkpoint.Path}: the tokenizer gives token {id}, but the embedding has {options.VocabularySize} rows; is it this model's tokenizer?");
        }
    }

    static void CheckMemory(TrainConfig config, Checkpoint checkpoint)
    {
        // Weights in float32; trained in full, also gradients and the two means of AdamW. Activations come on top.
        long needed = checkpoint.Tensors.Sum(tensor => tensor.Shape.Elements) * (config.Lora is null ? 16 : 4);
        long there = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (needed > there)
            throw new RecallException($"{checkpoint.Path}: training needs {needed:N0} bytes of memory for weights"
                + $"{(config.Lora is null ? ", gradients and optimizer" : "")} alone; this machine has {there:N0}{(config.Lora is null ? ". With 'lora' a quarter of it would do" : "")}");
    }
}
