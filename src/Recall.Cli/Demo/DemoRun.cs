using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Configuration.Yaml;
using Recall.Planning;
using Recall.Tokenization;

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
        yield return Score(DemoKind.Base, "base", new ModelReference(new ModelPath(folder.Base)));
        foreach (var task in DemoTask.All) yield return Score(DemoKind.Expert, task.Name, folder.Expert(task));
    }

    /// <summary>One model that learns task after task, after each of them.</summary>
    public IEnumerable<ScoredModel> Sequential()
    {
        ModelPath? before = null;
        foreach (var task in DemoTask.All)
        {
            var learnt = new ModelPath(folder.In("after", task.Name));
            Write(before is null ? folder.Expert(task) : new ModelReference(before, new ModelPath(folder.Next(task))), learnt.Path);
            before = learnt;
            yield return Score(DemoKind.Sequential, task.Name, new ModelReference(learnt));
        }
    }

    /// <summary>The experts, merged in several ways.</summary>
    public IEnumerable<ScoredModel> Merges()
    {
        WriteCards();
        Directory.CreateDirectory(folder.In("merged"));
        foreach (var merge in DemoMerge.All)
        {
            string config = folder.In(merge.Name + ".yaml"), output = folder.In("merged", merge.Name);
            File.WriteAllText(config, merge.Config(folder) + "\n");
            report($"merging: {merge.Title}");
            var result = Merge(MergeConfig.Read(config), output);
            yield return Score(DemoKind.Merge, merge.Title, new ModelReference(new ModelPath(output))) with
            {
                Config = config,
                Reads = merge.Reads,
                Weights = result.Weights,
            };
        }
    }

    /// <summary>What the earlier experts leave behind in place of their texts, as <c>recall card</c> writes it.</summary>
    void WriteCards()
    {
        Directory.CreateDirectory(folder.In("cards"));
        foreach (var task in DemoTask.All.SkipLast(1))
        {
            var (expert, options) = (OpenedModel.Open(folder.Expert(task)), new RecallOptions());
            var tokenizer = Tokenizer.Load(expert.Checkpoint);
            var texts = AlignmentSamples.Read(
                expert.Name, folder.Texts(task), null, () => tokenizer, DemoMerge.TextCount, options.MaxTokens);
            CardRun.Write(
                folder.Card(task), expert.Name, expert.Checkpoint, texts, AlignmentOptions.DefaultCardRank, options.Answers,
                Checkpoint.Open(folder.Base), cancellation: cancellation);
        }
    }

    /// <summary>A model and its adapter as one checkpoint, as <c>recall convert --dtype bfloat16</c> writes it.</summary>
    void Write(ModelReference model, string output)
    {
        var place = new Place(model.ToString(), 0, 0, "");
        Merge(new MergeConfig
        {
            File = model.ToString(),
            Text = "",
            Method = "passthrough",
            MethodPlace = place,
            Models = [new ModelEntry(model, ParameterSet.None, place)],
            OutDType = Numerics.DType.BF16,
        }, output);
    }

    MergeResult Merge(MergeConfig config, string output) => MergeRun.Run(
        config, new MergeOptions { Output = output, Seed = seed, WriteModelCard = config.Text.Length > 0 }, cancellation: cancellation);

    ScoredModel Score(DemoKind kind, string name, ModelReference model)
    {
        report($"asking {model}");
        return new ScoredModel(kind, name, model.ToString(), ExactMatch.Of(OpenedModel.Open(model).Checkpoint, words, cancellation));
    }
}
