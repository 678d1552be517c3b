using System.Collections.Immutable;
using Recall.Representations;

namespace Recall.Cli.Demo;

/// <summary>A model of the demo and what it can do.</summary>
/// <param name="Name">What it is called in the tables.</param>
/// <param name="Path">Where it lies, as any command takes it.</param>
/// <param name="Scores">Its exact matches by task, from 0 to 1, in the order of <see cref="DemoTask.All"/>.</param>
sealed record ScoredModel(string Name, string Path, ImmutableArray<double> Scores)
{
    /// <summary>The merge file, for a merged model.</summary>
    public string? Config { get; init; }

    /// <summary>The layer weights, for a model that was merged by representations.</summary>
    public WeightsFile? Weights { get; init; }

    /// <summary>The mean over the tasks.</summary>
    public double Mean => Scores.Average();
}
