using System.Text.Json;

namespace Recall.Cli.Demo;

/// <summary>The folder that the demo writes: the shipped models, texts, merge files, and what is merged.</summary>
/// <param name="Path">As the user named it: merge files and hints to the user name files by it.</param>
sealed record DemoFolder(string Path)
{
    const string ResourcePrefix = "demo/";

    static readonly string[] Parts = ["base", "experts", "sequential"];

    /// <summary>The model that all experts were trained from.</summary>
    public string Base => In("base");

    /// <summary>The rows of the newest task, from which RECALL draws its samples.</summary>
    public string Texts => In("texts", DemoTask.All[^1].Name + ".jsonl");

    /// <summary>A task's expert: base and adapter.</summary>
    public string Expert(DemoTask task) => $"{Base}+{In("experts", task.Name)}";

    /// <summary>The adapter that adds a task to the model that learnt those before it.</summary>
    public string Next(DemoTask task) => In("sequential", task.Name);

    /// <summary>A file or folder of it.</summary>
    public string In(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>What is there already is never written over.</summary>
    /// <exception cref="RecallException">A file, or a folder that holds something.</exception>
    public static void RequireFree(string folder)
    {
        if (File.Exists(folder)) throw new RecallException($"{folder}: is a file; name a folder that is new or empty");
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new RecallException($"{folder}: is not empty; name a folder that is new or empty: recall demo --out FOLDER");
    }

    /// <summary>Lays out the shipped models and the newest task's texts.</summary>
    /// <param name="models">A folder that examples/demo/make.sh made, in place of the shipped models.</param>
    /// <exception cref="RecallException">The folder holds something, or the disk says no.</exception>
    public void Fill(string? models)
    {
        RequireFree(Path);
        foreach (var (name, open) in models is null ? Shipped() : Made(models))
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(In(name))!);
            using var from = open();
            using var to = File.Create(In(name));
            from.CopyTo(to);
        }
        Directory.CreateDirectory(In("texts"));
        File.WriteAllLines(Texts, Rows(DemoTask.All[^1], DemoWords.Draw(0).Training.Take(256)));
    }

    /// <summary>A task's prompts and answers as JSON lines.</summary>
    public static IEnumerable<string> Rows(DemoTask task, IEnumerable<string> words) =>
        words.Select(word => JsonSerializer.Serialize(new { prompt = task.Prompt(word), answer = task.Answer(word) }));

    static IEnumerable<(string Name, Func<Stream> Open)> Shipped()
    {
        var assembly = typeof(DemoFolder).Assembly;
        return assembly.GetManifestResourceNames().Where(name => name.StartsWith(ResourcePrefix, StringComparison.Ordinal))
            .Select(name => (name[ResourcePrefix.Length..], new Func<Stream>(() => assembly.GetManifestResourceStream(name)!)));
    }

    static IEnumerable<(string Name, Func<Stream> Open)> Made(string models) =>
        Parts.SelectMany(part => Directory.GetFiles(System.IO.Path.Combine(models, part), "*", SearchOption.AllDirectories))
            .Select(file => (System.IO.Path.GetRelativePath(models, file), new Func<Stream>(() => File.OpenRead(file))));
}
