namespace Recall.Cli.Demo;

/// <summary>A merge that the demo shows.</summary>
/// <param name="Name">The name of its file and of its result.</param>
/// <param name="Title">What it is called in the tables.</param>
/// <param name="Reads">What it reads beside the models' weights.</param>
/// <param name="Config">Its merge file, for a folder.</param>
sealed record DemoMerge(string Name, string Title, string Reads, Func<DemoFolder, string> Config)
{
    /// <summary>Texts of a task that distil and cards take. A text here has about ten tokens.</summary>
    public const int TextCount = 64;

    /// <summary>The merges, in the order of the table.</summary>
    public static IReadOnlyList<DemoMerge> All { get; } =
    [
        new("average", "average", "–", folder => $$"""
            merge_method: linear
            models:
            {{Experts(folder)}}
            parameters: {weight: 1}
            dtype: bfloat16
            """),
        new("task_arithmetic", "task arithmetic, 0.5", "–", folder => $$"""
            merge_method: task_arithmetic
            base_model: {{DemoFolder.Yaml(folder.Base)}}
            models:
            {{Experts(folder)}}
            parameters: {weight: 0.5}
            dtype: bfloat16
            """),
        new("recall", "RECALL as published", "texts of the newest", folder => $$$"""
            merge_method: recall
            models:
            {{{Experts(folder)}}}
            recall:
              samples: {{{DemoFolder.Yaml(folder.Texts(DemoTask.All[^1]))}}}
              text: "{{prompt}} {{answer}}"
              preset: paper
            dtype: bfloat16
            """),
        new("distil", "RECALL, distil", $"{TextCount} texts of each", folder => $$"""
            merge_method: recall
            base_model: {{DemoFolder.Yaml(folder.Base)}}
            models:
            {{Experts(folder, task => Samples(folder, task))}}
            recall: {combine: distil, count: {{TextCount}}}
            dtype: bfloat16
            """),
        new("distil_from_cards", "RECALL, distil from cards", $"{TextCount} of the newest, cards", folder => $$"""
            merge_method: recall
            base_model: {{DemoFolder.Yaml(folder.Base)}}
            models:
            {{Experts(folder, task => task == DemoTask.All[^1] ? Samples(folder, task) : $"card: {DemoFolder.Yaml(folder.Card(task))}")}}
            recall: {combine: distil, count: {{TextCount}}}
            dtype: bfloat16
            """),
    ];

    static string Samples(DemoFolder folder, DemoTask task) => $"samples: {DemoFolder.Yaml(folder.Texts(task))}";

    static string Experts(DemoFolder folder, Func<DemoTask, string>? more = null) => string.Join('\n', DemoTask.All.Select(task =>
        $"- model: {DemoFolder.Yaml(folder.Expert(task).ToString())}" + (more is null ? "" : "\n  " + more(task))));
}
