using Recall.Checkpoints.Safetensors;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// An adapter as PEFT saves it, opened: its config and the header of its factors, checked against each other; no value is read.
/// </summary>
/// <param name="Path">The folder, as the user named it.</param>
/// <param name="Config">What adapter_config.json says.</param>
/// <param name="Modules">The modules with factors, by name.</param>
public sealed record LoraAdapter(string Path, LoraConfig Config, IReadOnlyList<LoraModule> Modules)
{
    const string ConfigName = "adapter_config.json", WeightsName = "adapter_model.safetensors";

    /// <summary>
    /// Full values that take the place of the base's (modules_to_save, trained biases, grown embeddings), by name of the tensor.
    /// </summary>
    public required IReadOnlyDictionary<string, StoredTensor> Copies { get; init; }

    /// <summary>New rows of embeddings (trainable tokens), by module.</summary>
    public required IReadOnlyDictionary<string, StoredTensor> TokenRows { get; init; }

    /// <summary>Opens the folder that holds adapter_config.json and adapter_model.safetensors.</summary>
    /// <exception cref="RecallException">Not there (with the near names that are), no adapter, broken, or of a kind that Recall does not
    /// apply.</exception>
    public static LoraAdapter Open(string folder)
    {
        if (File.Exists(folder)) throw new RecallException($"{folder}: is a file; name the folder that holds {ConfigName}");
        if (!Directory.Exists(folder)) throw Checkpoint.NotThere(folder, "adapter");
        string configPath = System.IO.Path.Combine(folder, ConfigName), weights = System.IO.Path.Combine(folder, WeightsName);
        if (!File.Exists(configPath)) throw NoAdapter(folder);
        var config = LoraConfigReader.Read(configPath);
        if (!File.Exists(weights))
        {
            string bin = System.IO.Path.ChangeExtension(weights, ".bin");
            throw new RecallException(File.Exists(bin)
                ? $"{bin}: Recall reads the factors of an adapter from {WeightsName}; load the adapter with PEFT and save it again "
                    + "to get one"
                : $"{folder}: holds {ConfigName}, but no {WeightsName}");
        }
        var tensors = SafetensorsFile.Read(DataFile.Open(weights)).Tensors;
        if (tensors.Count == 0) throw new RecallException($"{weights}: holds no tensors: the adapter would change nothing");
        var sorted = AdapterTensors.Sort(weights, config, tensors);
        return new LoraAdapter(folder, config, sorted.Modules) { Copies = sorted.Copies, TokenRows = sorted.Tokens };
    }

    /// <summary>
    /// The base with this adapter: the same tensors, of which those that the adapter changes are computed while they are read, in float32.
    /// Several adapters are applied one after the other.
    /// </summary>
    /// <exception cref="RecallException">The adapter belongs to another base; the message names the first tensor that does not
    /// fit.</exception>
    public Checkpoint Apply(Checkpoint baseModel) => new LoraApplication(this, baseModel).Run();

    static RecallException NoAdapter(string folder)
    {
        if (File.Exists(System.IO.Path.Combine(folder, "config.json")))
            return new RecallException($"{folder}: is a whole model, not an adapter: it has config.json, but no {ConfigName}");
        var below = Directory.EnumerateDirectories(folder).Take(1000)
            .Where(sub => File.Exists(System.IO.Path.Combine(sub, ConfigName))).Order().Take(3).ToList();
        return new RecallException($"{folder}: is no adapter: {ConfigName} is expected there"
            + (below.Count > 0 ? $"; did you mean {string.Join(" or ", below.Select(sub => $"'{sub}'"))}?" : ""));
    }
}
