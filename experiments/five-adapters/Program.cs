using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using FiveAdapters;
using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Configuration;
using Recall.Tokenization;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string shared = Environment.GetEnvironmentVariable("RECALL_SHARED") ?? "../shared";
var baseModel = Checkpoint.Open(Path.Combine(shared, "models", "SmolLM2-135M-Instruct.Q4_1.gguf"));
var texts = new TaskTexts(shared, Tokenizer.Load(baseModel));
string[] tasks = [.. TaskTexts.Tasks.Select(task => task.Name)];
Checkpoint Adapted(string task) => LoraAdapter.Open(Path.Combine(shared, "adapters", task)).Apply(baseModel);
AlignmentExpert Expert(string task) => new(task, Adapted(task), texts.Training(task, 20));

if (Environment.GetEnvironmentVariable("THREADS") is { } threads) TorchSharp.torch.set_num_threads(int.Parse(threads));
int? limit = Environment.GetEnvironmentVariable("LIMIT") is { } most ? int.Parse(most) : null;
string mode = args.Length > 0 ? args[0] : "distil";
switch (mode)
{
    case "references":
        Print("base", Scores.Of(baseModel, texts, null, limit));
        foreach (string task in tasks) Print(task, Scores.Of(Adapted(task), texts, [task], limit));
        break;
    case "align" or "distil":
        Report(mode, Merge([.. tasks.Select(Expert)],
            new AlignmentOptions { Kind = mode == "align" ? AlignmentKind.Align : AlignmentKind.Distil }));
        break;
    case "cards":   // cards FOLDER RANK: makes them
        foreach (string task in tasks)
            CardRun.Write(Path.Combine(args[1], task + ".safetensors"), task, Adapted(task), texts.Training(task, 20), args[2] == "full"
                ? null : int.Parse(args[2]), 1, ComputeType.Auto);
        break;
    case "newest":  // newest TASK FOLDER: its texts, cards of the others
        Report($"distil, texts of {args[1]}", Merge([.. tasks.Select(task => task == args[1] ? Expert(task) : ByCard(task, args[2]))], new AlignmentOptions { Kind = AlignmentKind.Distil }));
        break;
    case "sequential":  // sequential FOLDER texts|cards RANK: one after another, each merge from the folder of the one before
        Sequential(args[1], keepTexts: args[2] == "texts", args[3]);
        break;
    case "rates":
        Rates.Print();
        break;
    case "align-cards":
        Report("align, cards", Merge([.. tasks.Select(task => ByCard(task, args[1]))],
            new AlignmentOptions { Kind = AlignmentKind.Align }));
        break;
}

void Sequential(string folder, bool keepTexts, string rank)
{
    Directory.CreateDirectory(folder);
    string Adapter(string task) => $"{Path.Combine(shared, "models", "SmolLM2-135M-Instruct.Q4_1.gguf")}+{Path.Combine(shared, "adapters", task)}";
    string Samples(string task)
    {
        string path = Path.Combine(folder, task + ".jsonl");
        File.WriteAllText(path, AlignmentSamples.Lines(texts.Training(task, 20)));
        return path;
    }
    string before = Adapter(tasks[0]), given = $", samples: {Samples(tasks[0])}";
    foreach (string task in tasks.Skip(1))
    {
        string output = Path.Combine(folder, "with-" + task);
        string config = $"""
            merge_method: recall
            base_model: {Path.Combine(shared, "models", "SmolLM2-135M-Instruct.Q4_1.gguf")}
            models:
            - {"{"}model: {before}{given}{"}"}
            - {"{"}model: {Adapter(task)}, samples: {Samples(task)}{"}"}
            recall: {"{"}combine: distil, keep_samples: {(keepTexts ? "true" : "false")}, card_rank: {rank}{"}"}
            """;
        var clock = Stopwatch.StartNew();
        Recall.MergeRun.Run(MergeConfig.Parse(config, "sequential.yaml"), new Recall.Planning.MergeOptions { Output = output });
        Console.WriteLine($"with {task}: {clock.Elapsed.TotalSeconds:F1} s, peak memory "
            + $"{Process.GetCurrentProcess().PeakWorkingSet64 / 1e6:F0} MB");
        (before, given) = (output, "");
    }
    Report($"one after another, {(keepTexts ? "texts kept" : $"cards of rank {rank}")}", Checkpoint.Open(before));
}

AlignmentExpert ByCard(string task, string folder) =>
    new(task, Adapted(task), [], CardFile.Open(Path.Combine(folder, task + ".safetensors")));

Checkpoint Merge(IReadOnlyList<AlignmentExpert> experts, AlignmentOptions options)
{
    var clock = Stopwatch.StartNew();
    var before = Process.GetCurrentProcess().TotalProcessorTime;
    if (Environment.GetEnvironmentVariable("COMPUTE") is { } compute) options = options with { Compute = Enum.Parse<ComputeType>(compute,
        ignoreCase: true) };
    using var alignment = new LayerAlignment(baseModel, experts, options);
    var merged = new Dictionary<string, MemoryTensor>();
    var values = new Dictionary<string, float[]>();
    alignment.Run((name, first, rows) =>
    {
        var shape = baseModel.Find(name)!.Shape;
        if (!values.TryGetValue(name, out var all)) values.Add(name, all = new float[shape.Elements]);
        MemoryMarshal.Cast<byte, float>(rows.bytes).CopyTo(all.AsSpan((int)(first * shape[1])));
        merged[name] = new MemoryTensor(name, shape, all);
    });
    Console.WriteLine($"tokens {experts.Sum(expert => expert.Texts.Sum(text => text.Ids.Length))}, {clock.Elapsed.TotalSeconds:F1} s, "
        + $"processor {(Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds:F1} s, peak memory "
            + $"{Process.GetCurrentProcess().PeakWorkingSet64 / 1e6:F0} MB");
    foreach (string note in alignment.Notes.Take(5)) Console.WriteLine(note);
    return alignment.Rest.With([.. alignment.Rest.Tensors.Select(tensor => merged.GetValueOrDefault(tensor.Name) ?? tensor)]);
}

void Report(string name, Checkpoint merged)
{
    if (args.Contains("--no-score")) return;
    Print(name, Scores.Of(merged, texts, null, limit));
}

void Print(string name, Dictionary<string, double> losses)
{
    var line = losses.Select(loss => $"{loss.Key} {loss.Value:F4}").ToList();
    var kept = losses.Where(loss => Reference.Losses.ContainsKey(loss.Key)).Select(loss =>
        (loss.Key, Share: Reference.Share(loss.Key, loss.Value))).ToList();
    Console.WriteLine($"{name}: {string.Join(", ", line)}");
    if (kept.Count == tasks.Length) Console.WriteLine($"  kept: "
        + $"{string.Join(", ", kept.Select(each => $"{each.Key} {each.Share:F1} %"))}; mean {kept.Average(each => each.Share):F1} %, "
        + $"worst {kept.Min(each => each.Share):F1} %");
}
