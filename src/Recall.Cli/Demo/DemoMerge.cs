namespace Recall.Cli.Demo;

/// <summary>A merge that the demo shows.</summary>
/// <param name="Name">The names of its file and of its result.</param>
/// <param name="Title">What it is called in the tables.</param>
/// <param name="Config">Its merge file, for a folder.</param>
sealed record DemoMerge(string Name, string Title, Func<DemoFolder, string> Config)
{
    /// <summary>The merges, in the order of the table. The last one's folder is the one to go on with.</summary>
    public static IReadOnlyList<DemoMerge> All { get; } =
    [
        new("average", "average", folder => $"""
            merge_method: linear
            models:
            {Experts(folder)}
            dtype: bfloat16
            """),
        new("task_arithmetic", "task arithmetic", folder => $$"""
            merge_method: task_arithmetic
            base_model: {{folder.Base}}
            models:
            {{Experts(folder)}}
            parameters: {weight: 0.5}
            dtype: bfloat16
            """),
        new("recall", "RECALL", folder => $$$"""
            merge_method: recall
            models:
            {{{Experts(folder)}}}
            recall:
              samples: {{{folder.Texts}}}
              text: "{{prompt}} {{answer}}"
            dtype: bfloat16
            """),
    ];

    static string Experts(DemoFolder folder) => string.Join('\n', DemoTask.All.Select(task => $"- model: {folder.Expert(task)}"));
}
