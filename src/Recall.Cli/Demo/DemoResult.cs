namespace Recall.Cli.Demo;

/// <summary>All that the demo found, for scripts.</summary>
/// <param name="Folder">Where it wrote.</param>
/// <param name="Seed">What drew the words.</param>
/// <param name="Tasks">The tasks, in the order in which they are learnt.</param>
/// <param name="Words">How many words each model was asked for each task.</param>
/// <param name="Models">The models, in the order of the tables.</param>
/// <param name="Merged">The merged model that is best over all tasks.</param>
/// <param name="Seconds">How long all took.</param>
sealed record DemoResult(
    string Folder, int Seed, IReadOnlyList<string> Tasks, int Words, IReadOnlyList<DemoResult.Model> Models, string Merged, double Seconds)
{
    /// <summary>A model and its scores.</summary>
    /// <param name="Kind">base, expert, sequential or merge.</param>
    /// <param name="Name">The newest task that it was trained on, or the merge.</param>
    /// <param name="Path">As any command takes it.</param>
    /// <param name="Config">Its merge file.</param>
    /// <param name="Reads">What the merge read beside the models' weights.</param>
    /// <param name="Scores">By task: the share of answers that are right to the letter, from 0 to 1.</param>
    /// <param name="EarlierTasks">The mean score of all tasks but the newest: what forgetting takes.</param>
    /// <param name="LayerWeights">By layer, the embedding first: the weight of each expert.</param>
    public sealed record Model(
        string Kind, string Name, string Path, string? Config, string? Reads, IReadOnlyDictionary<string, double> Scores,
        double EarlierTasks, IReadOnlyList<IReadOnlyList<double>>? LayerWeights)
    {
        /// <summary>Of a scored model.</summary>
        public static Model Of(ScoredModel model) => new(
            model.Kind.ToString().ToLowerInvariant(), model.Name, model.Path, model.Config, model.Reads,
            DemoTask.All.Zip(model.Scores).ToDictionary(pair => pair.First.Name, pair => pair.Second), Math.Round(Earlier(model), 4),
            model.Weights is null ? null : [.. model.Weights.Layers.Select(layer => (IReadOnlyList<double>)layer.Weights)]);
    }

    /// <summary>The merge that is best over all tasks; of equals the first.</summary>
    public static ScoredModel Best(IReadOnlyList<ScoredModel> merges) => merges.MaxBy(model => model.Scores.Average())!;

    /// <summary>A model's mean score on all tasks but the newest.</summary>
    public static double Earlier(ScoredModel model) => model.Scores.SkipLast(1).Average();
}
