namespace Recall.Cli.Demo;

/// <summary>A merge that the demo shows.</summary>
/// <param name="Name">The name of its file and of its result.</param>
/// <param name="Title">What it is called in the tables.</param>
/// <param name="Config">Its merge file, for a folder.</param>
sealed record DemoMerge(string Name, string Title, Func<DemoFolder, string> Config)
{
    /// <summary>The merges, in the order of the table. The last one's result is the one that the demo hands over.</summary>
    public static IReadOnlyList<DemoMerge> All { get; } =
    [
        new("average", "average", folder => $$"""
            merge_method: linear
            models:
            {{Experts(folder)}}
            parameters: {weight: 1}
            dtype: bfloat16
            """),
        new("task_arithmetic", "task arithmetic, 0.5", folder => $$"""
            merge_method: task_arithmetic
            base_model: {{DemoFolder.Yaml(folder.Base)}}
            models:
            {{Experts(folder)}}
            parameters: {weight: 0.5}
            dtype: bfloat16
            """),
        new("recall", "RECALL as published", folder => $$$"""
            merge_method: recall
            models:
            {{{Experts(folder)}}}
            recall:
              samples: {{{DemoFolder.Yaml(folder.Texts(DemoTask.All[^1]))}}}
              text: "{{prompt}} {{answer}}"
              preset: paper
            dtype: bfloat16
            """),
        new("distil", "RECALL, distil", folder => $$"""
            merge_method: recall
            base_model: {{DemoFolder.Yaml(folder.Base)}}
            models:
            {{Experts(folder, task => $"\n  samples: {DemoFolder.Yaml(folder.Texts(task))}")}}
            recall: {combine: distil, count: 20}
            dtype: bfloat16
            """),
    ];

    static string Experts(DemoFolder folder, Func<DemoTask, string>? more = null) => string.Join(
        '\n', DemoTask.All.Select(task => $"- model: {DemoFolder.Yaml(folder.Expert(task).ToString())}{more?.Invoke(task)}"));
}
