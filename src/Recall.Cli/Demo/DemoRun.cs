using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Demo;

/// <summary>What the demo does, part by part: each model is made (where it is not shipped) and scored when it is asked for.</summary>
/// <param name="folder">Holds the shipped models; takes the others.</param>
/// <param name="words">The words by which models are judged.</param>
/// <param name="seed">The seed of the merges.</param>
/// <param name="report">Told what is done next.</param>
/// <param name="cancellation">Ends the work.</param>
sealed class DemoRun(DemoFolder folder, IReadOnlyList<string> words, int seed, Action<string> report, CancellationToken cancellation)
{
    /// <summary>The base, then each task's expert.</summary>
    public IEnumerable<ScoredModel> Experts()
    {
        yield return Score("base", folder.Base);
        foreach (var task in DemoTask.All) yield return Score(task.Name, folder.Expert(task));
    }

    /// <summary>One model that learns task after task, after each of them.</summary>
    public IEnumerable<ScoredModel> Sequential()
    {
        string? before = null;
        foreach (var task in DemoTask.All)
        {
            string tuned = before is null ? folder.Expert(task) : $"{before}+{folder.Next(task)}", output = folder.In("after", task.Name);
            Merge(MergeConfig.Parse($"merge_method: passthrough\nmodels: [{{model: {tuned}}}]\ndtype: bfloat16\n", "demo"), output);
            before = output;
            yield return Score(task.Name, output);
        }
    }

    /// <summary>The experts, merged in several ways.</summary>
    public IEnumerable<ScoredModel> Merges()
    {
        Directory.CreateDirectory(folder.In("merged"));
        foreach (var merge in DemoMerge.All)
        {
            string config = folder.In(merge.Name + ".yaml"), output = folder.In("merged", merge.Name);
            File.WriteAllText(config, merge.Config(folder) + "\n");
            report($"merging: {merge.Title}");
            var result = Merge(MergeConfig.Read(config), output);
            yield return Score(merge.Title, output) with { Config = config, Weights = result.Weights };
        }
    }

    MergeResult Merge(MergeConfig config, string output) =>
        MergeRun.Run(config, new MergeOptions { Output = output, Seed = seed }, cancellation: cancellation);

    ScoredModel Score(string name, string model)
    {
        cancellation.ThrowIfCancellationRequested();
        report($"asking {model}");
        return new ScoredModel(name, model, ExactMatch.Of(OpenedModel.Open(ModelReference.Parse(model)).Checkpoint, words, cancellation));
    }
}
