namespace Recall.Cli.Demo;

/// <summary>
/// What the demo's models are made from: an untrained model, words to learn from, and a training file for each run of <c>recall train</c>.
/// examples/demo/make.sh goes on from here.
/// </summary>
static class DemoWorkshop
{
    /// <summary>The base learns a little of all tasks at once, and is stopped long before it knows them.</summary>
    const string BaseRun = """
        full: true
        steps: 110
        batch_size: 64
        learning_rate: 2e-3
        warmup: 50
        schedule: linear
        weight_decay: 0.01
        """;

    /// <summary>An expert learns one task, as does the model that learns task after task.</summary>
    const string ExpertRun = """
        lora: {r: 16, alpha: 32}
        steps: 150
        batch_size: 32
        learning_rate: 3e-3
        warmup: 10
        schedule: linear
        """;

    /// <summary>Writes the folder; its training files are to be run inside it.</summary>
    /// <exception cref="RecallException">The folder holds something.</exception>
    public static void Write(string folder)
    {
        DemoFolder.RequireFree(folder);
        DemoModel.Write(Path.Combine(folder, "untrained"));
        string data = Path.Combine(folder, "data");
        Directory.CreateDirectory(data);
        var words = DemoWords.Draw(0).Training;
        var mixture = DemoTask.All.SelectMany(task => DemoFolder.Rows(task, words.Take(task.BaseRows)));
        File.WriteAllLines(Path.Combine(data, "base.jsonl"), mixture);
        Training("base", "untrained", "base", "base", BaseRun);
        string? before = null;
        foreach (var task in DemoTask.All)
        {
            string name = task.Name;
            File.WriteAllLines(Path.Combine(data, name + ".jsonl"), DemoFolder.Rows(task, words));
            Training(name, "base", name, $"experts/{name}", ExpertRun);
            if (before is not null) Training($"then-{name}", $"after/{before}", name, $"sequential/{name}", ExpertRun);
            before = name;
        }

        void Training(string name, string model, string rows, string output, string how) => File.WriteAllText(
            Path.Combine(folder, name + ".yaml"), $"model: {model}\ndata: data/{rows}.jsonl\noutput: {output}\n{how}\ndtype: bfloat16\ncard: none\n");
    }
}
