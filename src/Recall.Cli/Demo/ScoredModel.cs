using System.Collections.Immutable;
using Recall.Representations;

namespace Recall.Cli.Demo;

/// <summary>Where a model of the demo comes from.</summary>
enum DemoKind
{
    /// <summary>What all were trained from.</summary>
    Base,
    /// <summary>Trained on one task.</summary>
    Expert,
    /// <summary>Trained on one task after another.</summary>
    Sequential,
    /// <summary>Merged from the experts.</summary>
    Merge,
}

/// <summary>A model of the demo and what it can do.</summary>
/// <param name="Kind">Where it comes from.</param>
/// <param name="Name">What it is called in the tables; the newest task that it was trained on, for an expert.</param>
/// <param name="Path">Where it lies, as any command takes it.</param>
/// <param name="Scores">Its exact matches by task, from 0 to 1, in the order of <see cref="DemoTask.All"/>.</param>
sealed record ScoredModel(DemoKind Kind, string Name, string Path, ImmutableArray<double> Scores)
{
    /// <summary>The merge file, for a merged model.</summary>
    public string? Config { get; init; }

    /// <summary>What a merge read beside the models' weights.</summary>
    public string? Reads { get; init; }

    /// <summary>The layer weights, for a model that was merged by representations.</summary>
    public WeightsFile? Weights { get; init; }
}
