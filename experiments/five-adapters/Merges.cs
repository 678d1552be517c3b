using System.Diagnostics;
using System.Runtime.InteropServices;
using Recall;
using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Configuration;
using Recall.Planning;

namespace FiveAdapters;

/// <summary>The merges that are compared.</summary>
sealed class Merges(IReadOnlyList<SetEntry> set, TaskTexts texts, Checkpoint baseModel, Settings settings)
{
    /// <summary>The expert's weights.</summary>
    public Checkpoint Model(SetEntry entry) => IsAdapter(entry) ? LoraAdapter.Open(entry.Expert).Apply(baseModel) : Checkpoint.Open(entry.Expert);

    /// <summary>An expert with its texts.</summary>
    public AlignmentExpert WithTexts(SetEntry entry) => new(entry.Name, Model(entry), Texts(entry));

    /// <summary>An expert with its card only.</summary>
    public AlignmentExpert WithCard(SetEntry entry, string folder) => new(entry.Name, Model(entry), [], CardFile.Open(CardOf(entry, folder)));

    /// <summary>Makes the cards.</summary>
    public void WriteCards(string folder, int? rank)
    {
        Directory.CreateDirectory(folder);
        foreach (var entry in set)
            CardRun.Write(CardOf(entry, folder), entry.Name, Model(entry), Texts(entry), rank, settings.Options(AlignmentKind.Align).Answers, baseModel,
                settings.Options(AlignmentKind.Align).Compute);
    }

    /// <summary>Merges into memory.</summary>
    public Checkpoint Align(IReadOnlyList<AlignmentExpert> experts, AlignmentKind kind)
    {
        var clock = Stopwatch.StartNew();
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        if (ExpertDemand.IsMeasured(baseModel, experts, settings.Options(kind), keepsTexts: true, Console.WriteLine))
            experts = ExpertDemand.Weigh(baseModel, [.. experts], settings.Options(kind), Console.WriteLine);
        using var alignment = new LayerAlignment(baseModel, experts, settings.Options(kind));
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
            + $"processor {(Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds:F1} s, peak memory {PeakMemory}");
        foreach (string note in alignment.Notes.Take(5)) Console.WriteLine(note);
        return alignment.Rest.With([.. alignment.Rest.Tensors.Select(tensor => merged.GetValueOrDefault(tensor.Name) ?? tensor)]);
    }

    /// <summary>One expert after another, each merge from the folder of the one before; with its kept texts, or its card only.</summary>
    public Checkpoint OneAfterAnother(string folder, bool keepTexts, string rank)
    {
        string before = Reference(set[0]), given = $", samples: {Samples(set[0], folder)}";
        foreach (var entry in set.Skip(1))
        {
            string output = Path.Combine(folder, "with-" + entry.Name);
            string config = $$"""
                merge_method: recall
                base_model: {{ExpertSet.Base}}
                models:
                - {model: {{before}}{{given}}}
                - {model: {{Reference(entry)}}, samples: {{Samples(entry, folder)}}}
                recall: {combine: distil, keep_samples: {{(keepTexts ? "true" : "false")}}, card_rank: {{rank}}}
                """;
            var clock = Stopwatch.StartNew();
            MergeRun.Run(MergeConfig.Parse(config, "sequential.yaml"), new MergeOptions { Output = output });
            Console.WriteLine($"with {entry.Name}: {clock.Elapsed.TotalSeconds:F1} s, peak memory {PeakMemory}");
            (before, given) = (output, "");
        }
        return Checkpoint.Open(before);
    }

    /// <summary>A method that looks at weights only: its parameters as in a merge file.</summary>
    public Checkpoint ByWeights(string method, string parameters, string folder)
    {
        string config = $$"""
            merge_method: {{method}}
            base_model: {{ExpertSet.Base}}
            models: [{{string.Join(", ", set.Select(entry => $"{{model: {Reference(entry)}}}"))}}]
            parameters: {{{parameters}}}
            dtype: float32
            """;
        MergeRun.Run(MergeConfig.Parse(config, method + ".yaml"), new MergeOptions { Output = folder });
        return Checkpoint.Open(folder);
    }

    IReadOnlyList<AlignmentText> Texts(SetEntry entry)
    {
        var chosen = settings.Candidates is { } candidates ? texts.Typical(entry, settings.Count, candidates, baseModel)
            : texts.Training(entry, settings.Count);
        return settings.Prompts ? [.. chosen.Select(text => text with { Ids = text.Ids[..text.Answer] })] : chosen;
    }

    string Samples(SetEntry entry, string folder)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, entry.Name + ".jsonl");
        File.WriteAllText(path, AlignmentSamples.Lines(Texts(entry)));
        return path;
    }

    static bool IsAdapter(SetEntry entry) => File.Exists(Path.Combine(entry.Expert, "adapter_config.json"));

    static string Reference(SetEntry entry) => IsAdapter(entry) ? $"{ExpertSet.Base}+{entry.Expert}" : entry.Expert;

    static string CardOf(SetEntry entry, string folder) => Path.Combine(folder, entry.Name + ".safetensors");

    static string PeakMemory => $"{Process.GetCurrentProcess().PeakWorkingSet64 / 1e6:F0} MB";
}
