using System.Collections.Immutable;
using Recall.Representations;
using TorchSharp;
using static TorchSharp.torch;

namespace Recall.Training;

/// <summary>What one step of training gave.</summary>
/// <param name="Step">Its number, from 0.</param>
/// <param name="LearningRate">Its learning rate.</param>
/// <param name="Losses">The mean loss over the answer tokens of each of its batches, before the step.</param>
/// <param name="GradientNorm">Length of the gradient, before clipping.</param>
public sealed record TrainedStep(int Step, double LearningRate, ImmutableArray<double> Losses, double GradientNorm)
{
    /// <summary>The mean over the batches.</summary>
    public double Loss => Losses.Average();
}

/// <summary>Tunes a model that is in memory, step by step: all its weights, or a low-rank update.</summary>
public sealed class Trainer : IDisposable
{
    readonly LanguageModel _model;
    readonly TrainConfig _config;
    readonly LoraUpdate? _lora;
    readonly AdamW _optimizer;
    readonly int _steps;
    int _step;

    /// <summary>Begins. Model and update remain the caller's; the model must be in float32.</summary>
    /// <param name="model">The model; without an update its weights change in place.</param>
    /// <param name="config">Learning rate, decay, clipping.</param>
    /// <param name="steps">How many steps there will be: the schedule depends on it.</param>
    /// <param name="lora">The update that is trained in place of the weights.</param>
    public Trainer(LanguageModel model, TrainConfig config, int steps, LoraUpdate? lora = null)
    {
        if (model.Type != ScalarType.Float32) throw new ArgumentException("a model is trained in float32", nameof(model));
        (_model, _config, _lora, _steps) = (model, config, lora, steps);
        var trained = lora is null ? model.Weights.Values : lora.Factors.Values.SelectMany(factor => new[] { factor.A, factor.B });
        if (lora is null)
            foreach (var weight in model.Weights.Values) weight.requires_grad_();
        _optimizer = new AdamW(trained.Select(weight => (weight, config.DecayNorms || weight.dim() > 1 ? config.WeightDecay : 0)));
    }

    /// <summary>The mean loss over a batch's answer tokens, nothing learnt.</summary>
    public double Loss(IReadOnlyList<TrainingExample> batch)
    {
        using var quiet = no_grad();
        using var loss = AnswerLoss.Of(_model, batch, _lora is null ? null : _lora.Linear);
        return loss.item<float>();
    }

    /// <summary>One step over one or more batches.</summary>
    /// <exception cref="RecallException">The loss or the gradient is not a number any more.</exception>
    public TrainedStep Step(IReadOnlyList<IReadOnlyList<TrainingExample>> batches, CancellationToken cancellation = default)
    {
        var losses = ImmutableArray.CreateBuilder<double>();
        foreach (var batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var loss = AnswerLoss.Of(_model, batch, _lora is null ? null : _lora.Linear);
            losses.Add(loss.item<float>());
            if (!double.IsFinite(losses[^1])) throw Diverged("the loss", losses[^1]);
            using Scalar count = batches.Count;
            loss.div(count).backward();
        }
        double norm = _optimizer.Clip(_config.Clip);
        if (!double.IsFinite(norm)) throw Diverged("the length of the gradient", norm);
        double learningRate = _config.LearningRateAt(_step, _steps);
        _optimizer.Step(learningRate);
        return new TrainedStep(_step++, learningRate, losses.ToImmutable(), norm);
    }

    RecallException Diverged(string what, double value) => new(
        $"training stopped at step {_step + 1} of {_steps}: {what} is {value}; nothing was written. "
        + (_step == 0
            ? "The model itself gives it: are its weights sound?"
            : $"Lower the learning rate ({_config.LearningRate:R}), or clip the gradient more."));

    /// <inheritdoc/>
    public void Dispose()
    {
        _optimizer.Dispose();
        if (_lora is not null) return;
        foreach (var weight in _model.Weights.Values) weight.requires_grad_(false);
    }
}
