using System.Globalization;
using Recall.Configuration;

namespace Recall.Benchmarks;

/// <summary>
/// A merge against what the disk and the memory allow at all: <c>cp</c> of one input, <c>cat</c> of all. Commands take turns within a run, outputs are
/// removed and waiting writes done before each, and medians are compared. Recall flushes its output to the disk; so each reference is also
/// timed with a <c>sync</c> of its output.
/// </summary>
static class Comparison
{
    sealed record Command(string Name, IReadOnlyList<string> Line)
    {
        public List<Measured> Cold { get; } = [];

        public List<Measured> Warm { get; } = [];
    }

    public static void Run(Arguments arguments)
    {
        string config = arguments.Positional(0, "CONFIG");
        string recall = arguments.One("--recall") ?? throw new ConfigurationException("--recall DLL is missing: the built command, recall.dll");
        var references = arguments.All("--reference") ?? throw new ConfigurationException("--reference FILE … is missing");
        string folder = arguments.One("--out") ?? Path.Combine(Path.GetTempPath(), "recall-compare");
        int runs = arguments.Number("--runs", 5);
        bool warmOnly = arguments.Flag("--warm");
        arguments.Finish();
        if (references.Count == 0) throw new ConfigurationException("--reference takes at least one file");
        foreach (string file in references.Append(recall).Append(config))
            if (!File.Exists(file)) throw new ConfigurationException($"{file}: no such file");
        if (Directory.Exists(folder)) throw new ConfigurationException($"{folder}: is there already; --out takes a folder that can be removed afterwards");

        var merge = MergeConfig.Read(config);
        var inputs = merge.ReferencedModels.Select(model => model.Model.Path)
            .SelectMany(path => Directory.Exists(path) ? Directory.GetFiles(path, "*.safetensors") : [path])
            .Concat(references).Select(Path.GetFullPath).Distinct().ToList();
        var commands = Commands(config, recall, references, folder, arguments.Rest);
        try
        {
            for (int run = 0; run < runs; run++)
            {
                foreach (var command in commands)
                {
                    if (!warmOnly) command.Cold.Add(Time(command, folder, inputs, PageCache.Drop));
                    command.Warm.Add(Time(command, folder, inputs, PageCache.Warm));
                }
                Console.Error.WriteLine($"run {run + 1} of {runs} done");
            }
        }
        finally
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        Print(merge, commands, references, runs);
    }

    static List<Command> Commands(string config, string recall, IReadOnlyList<string> references, string folder, IReadOnlyList<string> flags)
    {
        string copy = Path.Combine(folder, "copy");
        string files = string.Join(' ', references.Select(Shell)), first = Shell(references[0]), to = Shell(copy);
        var commands = new List<Command>
        {
            new("recall merge", ["dotnet", recall, "merge", config, Path.Combine(folder, "merged"), .. flags]),
            new("cp of one input", ["cp", references[0], copy]),
            new("cp of one input, sync", ["sh", "-c", $"cp {first} {to} && sync {to}"]),
        };
        if (references.Count < 2) return commands;
        commands.Add(new($"cat of {references.Count} inputs", ["sh", "-c", $"cat {files} > {to}"]));
        commands.Add(new($"cat of {references.Count} inputs, sync", ["sh", "-c", $"cat {files} > {to} && sync {to}"]));
        return commands;
    }

    static string Shell(string path) => "'" + path.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    static Measured Time(Command command, string folder, List<string> inputs, Action<string> prepare)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        PageCache.Settle();
        foreach (string input in inputs) prepare(input);
        return Measured.Run(command.Line);
    }

    static void Print(MergeConfig config, List<Command> commands, IReadOnlyList<string> references, int runs)
    {
        double gigabytes = references.Sum(file => new FileInfo(file).Length) / 1e9;
        var copy = commands[1];
        Console.WriteLine($"{config.Method} of {config.ReferencedModels.Length} models; reference files {gigabytes:F2} GB; medians of {runs} runs, commands in turns.");
        Console.WriteLine(Machine());
        Console.WriteLine();
        Console.WriteLine("| command | cold s | ÷ cp | warm s | ÷ cp | warm min … max s | peak RSS MB |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (var command in commands)
        {
            string cold = command.Cold.Count == 0 ? "–" : F(Median(command.Cold)), coldRatio = command.Cold.Count == 0 ? "–" : F(Median(command.Cold) / Median(copy.Cold));
            double peak = command.Cold.Concat(command.Warm).Max(run => run.PeakBytes) / 1e6;
            Console.WriteLine($"| {command.Name} | {cold} | {coldRatio} | {F(Median(command.Warm))} | {F(Median(command.Warm) / Median(copy.Warm))} "
                + $"| {F(command.Warm.Min(run => run.Seconds))} … {F(command.Warm.Max(run => run.Seconds))} | {peak:F0} |");
        }
    }

    static string F(double number) => number.ToString("F2", CultureInfo.InvariantCulture);

    static double Median(List<Measured> runs)
    {
        var sorted = runs.Select(run => run.Seconds).Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    static string Machine()
    {
        string processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown CPU";
        string kernel = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        double memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1e9;
        return $"Machine: {processor}, {Environment.ProcessorCount} cores, {memory:F0} GB, Linux {kernel}, .NET {Environment.Version}.";
    }
}
