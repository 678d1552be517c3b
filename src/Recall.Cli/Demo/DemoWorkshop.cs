namespace Recall.Cli.Demo;

/// <summary>
/// What the demo's models are made from: an untrained model, words to learn from, and a training file for each run of <c>recall train</c>.
/// examples/demo/make.sh goes on from here.
/// </summary>
static class DemoWorkshop
{
    /// <summary>Writes the folder; its training files are to be run inside it.</summary>
    /// <exception cref="RecallException">The folder holds something.</exception>
    public static void Write(string folder)
    {
        DemoFolder.RequireFree(folder);
        DemoModel.Write(Path.Combine(folder, "untrained"));
        string data = Directory.CreateDirectory(Path.Combine(folder, "data")).FullName;
        var words = DemoWords.Draw(0).Training;
        foreach (var task in DemoTask.All)
        {
            File.WriteAllLines(Path.Combine(data, task.Name + ".jsonl"), DemoFolder.Rows(task, words));
        }
        Training(folder, "base", "untrained", [.. DemoTask.All.Select(task => task.Name)], "base", BaseRun);
        string? before = null;
        foreach (var task in DemoTask.All)
        {
            Training(folder, task.Name, "base", [task.Name], $"experts/{task.Name}", ExpertRun);
            if (before is not null) Training(folder, $"then-{task.Name}", $"after/{before}", [task.Name], $"sequential/{task.Name}", ExpertRun);
            before = task.Name;
        }
    }

    const string BaseRun = """
        full: true
        steps: 900
        batch_size: 64
        learning_rate: 2e-3
        warmup: 50
        schedule: linear
        weight_decay: 0.01
        """;

    const string ExpertRun = """
        lora: {r: 16, alpha: 32}
        steps: 250
        batch_size: 32
        learning_rate: 2e-3
        warmup: 10
        schedule: linear
        """;

    static void Training(string folder, string name, string model, IReadOnlyList<string> tasks, string output, string how) => File.WriteAllText(
        Path.Combine(folder, name + ".yaml"),
        $"model: {model}\ndata: [{string.Join(", ", tasks.Select(task => $"data/{task}.jsonl"))}]\noutput: {output}\n{how}\ndtype: bfloat16\n");
}
