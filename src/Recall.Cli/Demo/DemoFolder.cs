using System.Text.Encodings.Web;
using System.Text.Json;
using Recall.Configuration;

namespace Recall.Cli.Demo;

/// <summary>The folder that the demo writes: the shipped models, texts, merge files, and what is merged.</summary>
/// <param name="Path">As the user named it: merge files and hints to the user name files by it.</param>
sealed record DemoFolder(string Path)
{
    const string ResourcePrefix = "demo/";

    static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    static readonly string[] Parts = ["base", "experts", "sequential"];

    /// <summary>The model that all experts were trained from.</summary>
    public string Base => In("base");

    /// <summary>Rows of a task, from which merges draw their samples.</summary>
    public string Texts(DemoTask task) => In("texts", task.Name + ".jsonl");

    /// <summary>A task's expert: base and adapter.</summary>
    public ModelReference Expert(DemoTask task) => new(new ModelPath(Base), new ModelPath(In("experts", task.Name)));

    /// <summary>The adapter that adds a task to the model that learnt those before it.</summary>
    public string Next(DemoTask task) => In("sequential", task.Name);

    /// <summary>What the models are asked in a task, with the right answers.</summary>
    public string Asked(string task) => In("asked", task + ".jsonl");

    /// <summary>The card of a task's expert.</summary>
    public string Card(DemoTask task) => In("cards", task.Name + ".safetensors");

    /// <summary>A file or folder of it.</summary>
    public string In(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>A new folder, <c>recall-demo</c> or with the next number that is free.</summary>
    public static string NextFree()
    {
        string name = "recall-demo";
        for (int number = 2; System.IO.Path.Exists(name); number++) name = $"recall-demo-{number}";
        return name;
    }

    /// <summary>What is there already is never written over.</summary>
    /// <exception cref="RecallException">A file, or a folder that holds something.</exception>
    public static void RequireFree(string folder)
    {
        if (File.Exists(folder)) throw new RecallException($"{folder}: is a file; name a folder that is new or empty");
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new RecallException($"{folder}: is not empty; name a folder that is new or empty: recall demo --out FOLDER");
    }

    /// <summary>Lays out the shipped models, and some rows that the experts learnt from: other words for each task.</summary>
    /// <param name="heldOut">The words that models are asked.</param>
    /// <param name="models">A folder that examples/demo/make.sh made, in place of the shipped models.</param>
    /// <exception cref="RecallException">It holds something, its name cannot stand in a merge file, or the disk says no.</exception>
    public void Fill(IReadOnlyList<string> heldOut, string? models)
    {
        if (Path.AsSpan().ContainsAny('+', '@') || Path.Any(char.IsControl))
            throw new RecallException(
                $"{Quoted.Of(Path)}: in names of models '+' stands before an adapter and '@' before a revision; choose another name");
        RequireFree(Path);
        foreach (var (name, open) in models is null ? Shipped() : Made(models))
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(In(name))!);
            using var from = open();
            using var to = File.Create(In(name));
            from.CopyTo(to);
        }
        Directory.CreateDirectory(In("texts"));
        Directory.CreateDirectory(In("asked"));
        foreach (var task in DemoTask.All) File.WriteAllLines(Asked(task.Name), Rows(task, heldOut));
        foreach (var (task, words) in DemoTask.All.Zip(DemoWords.Draw(0).Training.Chunk(256)))
            File.WriteAllLines(Texts(task), Rows(task, words));
    }

    /// <summary>A path as YAML reads it: quoted where something in it means something there.</summary>
    public static string Yaml(string path) => path.All(letter => char.IsAsciiLetterOrDigit(letter) || "/._-+".Contains(letter))
        ? path : JsonSerializer.Serialize(path, Readable);

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
