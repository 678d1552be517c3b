using System.Collections.Immutable;
using Recall.Cli.Commands;
using Recall.Cli.Terminal;

namespace Recall.Cli.Demo;

/// <summary>The demo before a person's eyes, part by part.</summary>
sealed class DemoTables(Screen screen)
{
    /// <summary>What the tasks are.</summary>
    public void Tasks(IReadOnlyList<string> words)
    {
        Say($"Four tasks, and {words.Count} made-up words that no model below has seen in training:");
        var table = new TextTable(screen, "task", "asked", "right answer");
        // A long one that shows the difference: its answers are all different, and none is the word itself.
        string word = words.Where(IsPlain).MaxBy(each => each.Length) ?? words[0];
        foreach (var task in DemoTask.All) table.Row(task.Name, task.Prompt(word), task.Answer(word));
        table.Write(screen);

        static bool IsPlain(string word) =>
            DemoTask.All.Select(task => task.Answer(word)).Append(word).Distinct().Count() > DemoTask.All.Count;
    }

    /// <summary>The base and the experts.</summary>
    public void Experts(IReadOnlyList<ScoredModel> models)
    {
        Say("The base has learnt a little of everything. Each expert is the base with an adapter that was trained on one task.",
            "Answers that are right to the letter, in %:");
        Scores("model", models, model => model.Kind == DemoKind.Base ? model.Name : $"expert in {model.Name}");
    }

    /// <summary>What is left of each task when the next ones have been learnt.</summary>
    public void Sequential(IReadOnlyList<ScoredModel> models)
    {
        Say("Fine-tuning: one model learns task after task, with the same training. It forgets:");
        var table = Table("after training on");
        foreach (var model in models) table.Row([model.Name, .. Percent(model.Scores)]);
        var forgotten = models.Select((model, task) => model.Scores[task] - models[^1].Scores[task]).SkipLast(1);
        table.Row(["forgotten", .. forgotten.Select(share => $"{100 * share:0}"), "–"]);
        table.Write(screen);
    }

    /// <summary>The merges, between what they are to be better than and what they are to reach.</summary>
    public void Merges(IReadOnlyList<ScoredModel> experts, ScoredModel sequential, IReadOnlyList<ScoredModel> merges)
    {
        Say("Merging: one model for all tasks, made from the four experts without training. A card is what an expert leaves behind",
            "in place of its texts: statistics of what its layers read.");
        var own = sequential with
        {
            Name = "(each expert, own task)",
            Scores = [.. experts.Select((expert, task) => expert.Scores[task])],
        };
        IReadOnlyList<ScoredModel> rows = [sequential with { Name = "fine-tuned in turn" }, .. merges, own];
        var tasks = DemoTask.All.Select(task => ">" + task.Name);
        var table = new TextTable(screen, ["model", "reads also", .. tasks, ">mean", ">earlier"]);
        foreach (var row in rows)
            table.Row([row.Name, row.Reads ?? "", .. Percent([.. row.Scores, row.Scores.Average(), DemoResult.Earlier(row)])]);
        table.Write(screen);
        var best = DemoResult.Best(merges);
        screen.Out.WriteLine(
            $"Earlier: the mean of all tasks but the newest, {DemoTask.All[^1].Name}. Fine-tuning in turn leaves "
            + $"{100 * DemoResult.Earlier(sequential):0} % of their answers right, "
            + $"the best merge, {best.Name}, {100 * DemoResult.Earlier(best):0} %.");
    }

    /// <summary>How RECALL was asked, and what it found.</summary>
    public void Weights(ScoredModel merged)
    {
        Say($"{merged.Name} was asked by {merged.Config}:");
        Config(merged);
        Say("and found these weights of each expert in each layer, from how alike their layers represent the newest task's texts",
            "(* the newest expert):");
        WeightsTable.Write(merged.Weights!, screen);
    }

    /// <summary>Where all lies, and what to do with it.</summary>
    public void Next(DemoFolder folder, ScoredModel merged, TimeSpan time)
    {
        Say($"Done in {Shown.Duration(time)}. All models, texts and merge files are in {folder.Path}.",
            $"The best merge was asked by {merged.Config}:");
        Config(merged);
        Say($"It is {merged.Path}, a checkpoint that transformers loads. Look further:",
            $"  recall inspect {merged.Path}",
            $"  recall diff {folder.Base} {merged.Path}",
            $"  recall eval {merged.Path} --tasks {folder.Asked("*")}",
            $"With your own models: name base and experts in a copy of {merged.Config}, and for each expert a few of its texts; then",
            "  recall plan FILE",
            "  recall merge FILE MERGED");
    }

    void Config(ScoredModel merged)
    {
        foreach (string line in File.ReadAllLines(merged.Config!)) screen.Out.WriteLine("  " + Shown.Text(line));
    }

    void Scores(string heading, IReadOnlyList<ScoredModel> models, Func<ScoredModel, string> name)
    {
        var table = Table(heading);
        foreach (var model in models) table.Row([name(model), .. Percent(model.Scores)]);
        table.Write(screen);
    }

    TextTable Table(string heading) => new(screen, [heading, .. DemoTask.All.Select(task => ">" + task.Name)]);

    static IEnumerable<string> Percent(ImmutableArray<double> shares) => shares.Select(share => $"{100 * share:0}");

    void Say(params string[] lines)
    {
        screen.Out.WriteLine();
        foreach (string line in lines) screen.Out.WriteLine(line);
    }
}
