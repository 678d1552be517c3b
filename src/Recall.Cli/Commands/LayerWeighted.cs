using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary>The samples and layer weights of a config that has them.</summary>
static class LayerWeighted
{
    /// <summary>Opens the models and reads the texts.</summary>
    /// <exception cref="ConfigurationException">The config merges without layer weights.</exception>
    public static (MergePlan Plan, MergeWeights Weights) Open(string path, MergeOptions options, Screen screen)
    {
        var config = MergeConfig.Read(path);
        var plan = MergePlan.Make(config, options);
        foreach (string note in plan.Notes) screen.Note($"note: {Shown.Text(note)}");
        var weights = MergeWeights.Of(plan)
            ?? throw config.MethodPlace.Error($"the method {config.Method} has neither samples nor layer weights; 'merge_method: recall' has");
        return (plan, weights);
    }
}
