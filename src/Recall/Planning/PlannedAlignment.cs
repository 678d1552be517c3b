using System.Collections.Immutable;
using Recall.Configuration;

namespace Recall.Planning;

/// <summary>A merge by what the layers do: which one, and where each expert's texts or card lie.</summary>
/// <param name="Method">align, distil, regmean or regmean++.</param>
/// <param name="Experts">The experts, in the order of the file.</param>
/// <param name="Options">The options of <c>recall</c>.</param>
public sealed record PlannedAlignment(string Method, ImmutableArray<PlannedExpert> Experts, RecallOptions Options)
{
    /// <summary>Names of files in an expert's folder.</summary>
    const string CardName = "card.safetensors", SamplesName = "samples.jsonl";

    /// <summary>What a config asks for; null for all other merges.</summary>
    /// <param name="config">The config.</param>
    /// <param name="options">How it is run: a file of layer weights asks for the published form.</param>
    /// <param name="notes">Takes what was chosen, and why.</param>
    /// <exception cref="ConfigurationException">An expert with neither texts nor a card; the message says how to make one.</exception>
    public static PlannedAlignment? Of(MergeConfig config, MergeOptions options, ICollection<string> notes)
    {
        bool recall = config.Method == "recall";
        string? method = config.Method is "regmean" or "regmean++" or "regmean_plusplus"
            ? config.Method.Replace("_plusplus", "++", StringComparison.Ordinal)
            : recall && config.Recall?.Combine is "align" or "distil" ? config.Recall!.Combine : null;
        var given = config.Recall ?? new RecallOptions { Place = config.MethodPlace };
        if (given.Paper && method is not null && recall) throw given.Place.Error($"preset: paper is the published form, and combine asks "
            + $"for {method}: leave one out");
        if (method is null && (!recall || given.Combine is not null || given.Paper || options.WeightsFile is not null)) return null;
        if (config.Models.Length == 0) return method is null ? null
            : throw config.MethodPlace.Error($"{method} merges whole models: give them under 'models'");
        var experts = config.Models.Where(entry => entry.Model != config.BaseModel).Select(entry =>
            Find(entry, entry.Model == (config.ReferenceModel ?? config.Models[^1].Model), given)).ToImmutableArray();
        if (method is null) return Choose(config, experts, given, notes);
        if (config.BaseModel is null) throw config.MethodPlace.Error($"{method} needs a base model: set base_model");
        foreach (var expert in experts) Require(expert, method);
        if (experts.IsEmpty) throw config.MethodPlace.Error($"{method} needs an expert beside the base model");
        return new PlannedAlignment(method, experts, given);
    }

    static PlannedAlignment? Choose(MergeConfig config, ImmutableArray<PlannedExpert> experts, RecallOptions options,
        ICollection<string> notes)
    {
        int texts = experts.Count(expert => expert.Samples is not null), cards = experts.Count(expert => expert.Card is not null);
        if (experts.Length < 2 || texts + cards == 0) return null;
        string why = $"{texts} of {experts.Length} experts have texts, {cards} a card";
        if (config.BaseModel is null)
        {
            if (texts + cards > 1) notes.Add($"combine: the published form (linear): {why}, but there is no base_model to distil or "
                + $"align from");
            return null;
        }
        if (experts.FirstOrDefault(expert => expert.Samples is null && expert.Card is null) is { } lacking)
        {
            if (texts + cards > 1) notes.Add($"combine: the published form (linear): {lacking.Entry.Model} has neither texts nor a card; "
                + $"{Remedy(lacking)}, and distil is chosen");
            return null;
        }
        string method = texts > 0 ? "distil" : "align";
        notes.Add($"combine: {method}: {why}; 'preset: paper' takes the published form");
        return new PlannedAlignment(method, experts, options);
    }

    static void Require(PlannedExpert expert, string method)
    {
        if (expert.Samples is not null || (expert.Card is not null && method is "align" or "distil")) return;
        throw expert.Entry.Place.Error($"{expert.Entry.Model} has no "
            + $"{(method is "align" or "distil" ? "samples and no card" : "samples")}; {Remedy(expert)}");
    }

    static string Remedy(PlannedExpert expert) =>
        $"give it 'samples: FILE' here, or make its card where its texts are: recall card {expert.Entry.Model} --samples FILE --out "
            + $"{Path.Combine(Folder(expert.Entry.Model), CardName)}";

    static PlannedExpert Find(ModelEntry entry, bool isReference, RecallOptions options)
    {
        string folder = Folder(entry.Model);
        string? Found(string name) => File.Exists(Path.Combine(folder, name)) ? Path.Combine(folder, name) : null;
        string? samples = entry.Samples ?? (isReference ? options.Samples : null);
        string? card = entry.Card ?? (samples is null ? Found(CardName) : null);
        return new PlannedExpert(entry, samples ?? (entry.Card is null ? Found(SamplesName) : null), card, isReference
            && entry.Samples is null ? options.Text : null);
    }

    static string Folder(ModelReference model)
    {
        string path = (model.Lora ?? model.Model).Path;
        return File.Exists(path) ? Path.GetDirectoryName(Path.GetFullPath(path)) ?? "" : path;
    }
}

/// <summary>An expert of a merge by what the layers do.</summary>
/// <param name="Entry">As the config names it.</param>
/// <param name="Samples">Its texts; null: none.</param>
/// <param name="Card">Its card; null: none. Where there are both, the card counts if it stands for more experts than the texts do.</param>
/// <param name="Text">A template of its own for the prompt, or null.</param>
public sealed record PlannedExpert(ModelEntry Entry, string? Samples, string? Card, string? Text);
