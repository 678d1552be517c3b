using System.Collections.Immutable;

namespace Recall.Evaluation;

/// <summary>How much of what experts gained over their base a model keeps.</summary>
/// <param name="Shares">For each task (loss of the base − loss of the model) / (loss of the base − loss of the task's expert): 0 the base, 1
/// the expert; null where the expert is no better than the base, so that there is nothing to keep.</param>
public sealed record KeptGain(ImmutableArray<double?> Shares)
{
    /// <summary>Mean over the tasks that have a share.</summary>
    public double? Mean => Shares.Average();

    /// <summary>The smallest share.</summary>
    public double? Worst => Shares.Min();

    /// <summary>Compares the losses of a model with those of the base and of each task's expert.</summary>
    public static KeptGain Of(ModelScores model, ModelScores @base, IReadOnlyList<TaskScores> experts) => new(
    [
        .. model.Tasks.Select((task, i) =>
            @base.Tasks[i].Loss - experts[i].Loss is { } gain and > 0 ? (@base.Tasks[i].Loss - task.Loss) / gain : null),
    ]);
}
