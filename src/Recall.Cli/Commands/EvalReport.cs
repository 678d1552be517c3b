using System.Collections.Immutable;
using Recall.Cli.Terminal;
using Recall.Evaluation;

namespace Recall.Cli.Commands;

/// <summary>What <c>recall eval</c> found, as a table with a column a model, and as JSON.</summary>
/// <param name="Base">The model that the experts come from; null: none was given.</param>
/// <param name="Experts">Each task's expert on its task; none where there is no base.</param>
/// <param name="Models">The models.</param>
/// <param name="Kept">For each model what it keeps of the experts' gains; none where there is no base.</param>
sealed record EvalReport(
    ModelScores? Base, ImmutableArray<ModelScores> Experts, ImmutableArray<ModelScores> Models, ImmutableArray<KeptGain> Kept)
{
    public static EvalReport Of(ModelScores? @base, ImmutableArray<ModelScores> experts, ImmutableArray<ModelScores> models) => new(
        @base, experts, models,
        @base is null ? [] : [.. models.Select(model => KeptGain.Of(model, @base, [.. experts.Select(expert => expert.Tasks[0])]))]);

    /// <summary>Shows the table.</summary>
    public void Write(Screen screen)
    {
        bool compares = Base is not null;
        string[] first = compares ? [">base", ">expert"] : [];
        var table = new TextTable(
            screen, ["task", ">rows", "score", .. first, .. Shown.Models([.. Models.Select(model => model.Model)]).Select(name => ">" + name)]);
        for (int task = 0; task < Models[0].Tasks.Length; task++) AddTask(table, task);
        if (compares)
        {
            table.Row(["all tasks", "", "kept, mean", "", "", .. Kept.Select(kept => Percent(kept.Mean))]);
            table.Row(["all tasks", "", "kept, worst", "", "", .. Kept.Select(kept => Percent(kept.Worst))]);
        }
        if (Models[0].Text is { } text)
        {
            string name = Path.GetFileName(text.File);
            string[] Cells(Func<TextScores, string> show) =>
                [.. compares ? new[] { show(Base!.Text!), "" } : [], .. Models.Select(model => show(model.Text!))];
            table.Row([name, "", "loss", .. Cells(scores => Loss(scores.Loss))]);
            table.Row([name, "", "perplexity", .. Cells(scores => Shown.Number(scores.Perplexity))]);
        }
        table.Write(screen);
    }

    void AddTask(TextTable table, int task)
    {
        var set = Models[0].Tasks[task].Task;
        string[] Cells(Func<TaskScores, string> show) =>
        [
            .. Base is null ? Array.Empty<string>() : [show(Base.Tasks[task]), show(Experts[task].Tasks[0])],
            .. Models.Select(model => show(model.Tasks[task])),
        ];
        string rows = Shown.Count(set.Rows.Length);
        table.Row([set.Name, rows, "loss", .. Cells(scores => Loss(scores.Loss))]);
        if (set.Kind == EvaluationKind.Choices)
        {
            table.Row([set.Name, rows, "acc", .. Cells(scores => Mean(scores.Accuracy))]);
            table.Row([set.Name, rows, "acc_norm", .. Cells(scores => Mean(scores.NormalizedAccuracy))]);
        }
        if (Base is not null) table.Row([set.Name, rows, "kept", "", "", .. Kept.Select(kept => Percent(kept.Shares[task]))]);
    }

    static string Loss(double? loss) => loss is { } value ? $"{value:0.0000}" : "–";

    static string Mean(MeanScore? mean) => mean is not { } score ? "–"
        : $"{score.Value:0.0000}" + (score.StandardError is { } error ? $" ± {error:0.0000}" : "");

    static string Percent(double? share) => share is { } value ? $"{value * 100:0.0} %" : "–";

    /// <summary>For scripts.</summary>
    public object ToJson() => new Evaluated(
        Base is null ? null : Model(Base, null), Base is null ? null : [.. Experts.Select(expert => Model(expert, null))],
        [.. Models.Select((model, i) => Model(model, Kept.IsEmpty ? null : Kept[i]))]);

    static ScoredModel Model(ModelScores model, KeptGain? kept) => new(
        model.Model,
        [
            .. model.Tasks.Select((task, i) => new ScoredTask(
                task.Task.Name, task.Task.File, task.Rows.Length, task.Tokens, task.Loss, task.Accuracy?.Value, task.Accuracy?.StandardError,
                task.NormalizedAccuracy?.Value, task.NormalizedAccuracy?.StandardError, kept?.Shares[i])),
        ],
        kept?.Mean, kept?.Worst,
        model.Text is { } text ? new ScoredText(text.File, text.Tokens, text.Loss, text.Perplexity) : null);

    sealed record Evaluated(ScoredModel? Base, ScoredModel[]? Experts, ScoredModel[] Models);

    sealed record ScoredModel(string Model, ScoredTask[] Tasks, double? KeptMean, double? KeptWorst, ScoredText? Text);

    sealed record ScoredTask(
        string Task, string File, int Rows, int Tokens, double? Loss, double? Acc, double? AccStderr, double? AccNorm, double? AccNormStderr, double? Kept);

    sealed record ScoredText(string File, int Tokens, double Loss, double Perplexity);
}
