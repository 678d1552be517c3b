using Recall.Configuration;

namespace Recall.Planning;

/// <summary>The result of an earlier run in a folder of a chain of merges.</summary>
static class FinishedMerge
{
    const string Record = "recall.json", Config = "mergekit_config.yml";

    static readonly string[] Weights =
        ["model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", "pytorch_model.bin.index.json"];

    /// <summary>True where a folder holds a whole model: config.json, which is written last, and weights.</summary>
    public static bool IsIn(string folder) =>
        File.Exists(Path.Combine(folder, "config.json")) && Weights.Any(name => File.Exists(Path.Combine(folder, name)));

    /// <summary>A result of Recall tells of what it was made: one of another config would be the wrong model, in silence.</summary>
    public static void CheckIsOf(string folder, string text, NamedMerge merge)
    {
        string config = Path.Combine(folder, Config);
        if (!File.Exists(Path.Combine(folder, Record)) || !File.Exists(config) || File.ReadAllText(config) == text) return;
        throw merge.Place.Error($"{folder} holds a model that was made by another config; "
            + (merge.Name is null ? "empty it, or name another folder" : "--no-lazy makes it anew, another --intermediate-dir leaves it"));
    }

    /// <summary>Only what Recall has written is deleted, and only where nothing else lies beside it.</summary>
    public static void CheckCanBeReplaced(string folder)
    {
        if (!File.Exists(Path.Combine(folder, Record)))
            throw new RecallException($"{folder}: holds a model that Recall did not write, and will not delete; "
                + "delete it, or name another folder");
        var odd = Directory.EnumerateFileSystemEntries(folder)
            .FirstOrDefault(entry => Directory.Exists(entry) || !IsOfAMerge(Path.GetFileName(entry)));
        if (odd is null) return;
        string name = Quoted.Of(Path.GetFileName(odd));
        throw new RecallException($"{folder}: holds {name} beside the model, which Recall did not write; move it elsewhere");
    }

    /// <summary>Deletes the model, config.json first: what is left of a deletion that was cut short is no model.</summary>
    public static void Delete(string folder)
    {
        foreach (string file in Directory.GetFiles(folder).OrderBy(file => Path.GetFileName(file) != "config.json")) File.Delete(file);
    }

    static bool IsOfAMerge(string name) =>
        Path.GetExtension(name) is ".safetensors" or ".json" or ".model" or ".txt" or ".jinja" or ".partial"
        || name is Config or "README.md" or "recall.journal";
}
