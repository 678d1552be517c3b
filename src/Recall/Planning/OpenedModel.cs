using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Architectures;
using Recall.Checkpoints.Lora;
using Recall.Configuration;

namespace Recall.Planning;

/// <summary>A model of the config, opened: headers only.</summary>
/// <param name="Reference">As the config names it.</param>
/// <param name="Checkpoint">Its tensors, an adapter applied.</param>
/// <param name="Architecture">Its family: known by name, or inferred from the names of its tensors.</param>
/// <param name="LayerCount">Number of its blocks.</param>
public sealed record OpenedModel(ModelReference Reference, Checkpoint Checkpoint, Architecture Architecture, int LayerCount)
{
    /// <summary>The text form of the reference.</summary>
    public string Name => Reference.ToString();

    /// <summary>Opens a model and applies its adapter.</summary>
    /// <exception cref="RecallException">Not there, broken, or an adapter that does not fit.</exception>
    public static OpenedModel Open(ModelReference reference) => Open(reference, Checkpoint.Open);

    /// <summary>The same with the checkpoint from elsewhere: one that is yet to be written, say.</summary>
    internal static OpenedModel Open(ModelReference reference, Func<string, Checkpoint> open)
    {
        var checkpoint = open(reference.Model.Path);
        if (reference.Lora is { } adapter) checkpoint = LoraAdapter.Open(adapter.Path).Apply(checkpoint);
        if (checkpoint.Tensors.Count == 0) throw new RecallException($"{reference}: holds no tensors");
        if (reference.OverrideArchitecture is { } name)
        {
            var config = (JsonObject)checkpoint.Config.DeepClone();
            config["architectures"] = new JsonArray(name);
            checkpoint = checkpoint.With(checkpoint.Tensors, config);
        }
        var architecture = checkpoint.Architecture;
        if (architecture is null || !checkpoint.Tensors.Any(tensor => architecture.LayerOf(tensor.Name) is not null))
        {
            // A class name that promises other tensors than there are says nothing about these.
            var inferred = Architecture.Infer(checkpoint.Tensors.Select(tensor => tensor.Name));
            if (architecture is null || checkpoint.Tensors.Any(tensor => inferred.LayerOf(tensor.Name) is not null)) architecture = inferred;
        }
        return new OpenedModel(reference, checkpoint, architecture, CountLayers(checkpoint, architecture, architecture.Modules[0]));
    }

    /// <summary>Its weights alone, without family, config and tokenizer.</summary>
    internal OpenedModel WeightsOnly() => this with
    {
        Checkpoint = new Checkpoint(Checkpoint.Path, [], Checkpoint.Tensors, []),
        Architecture = Architecture.Nameless,
        LayerCount = 0,
    };

    /// <summary>Where a model stands among those opened; −1: nowhere.</summary>
    internal static int IndexOf(ImmutableArray<OpenedModel> models, ModelReference reference)
    {
        for (int i = 0; i < models.Length; i++)
            if (models[i].Reference == reference) return i;
        return -1;
    }

    /// <summary>The same model with its tensors named as in another layout of the family, the one that the output has.</summary>
    internal OpenedModel NamedAs(Architecture other)
    {
        var here = Architecture.Layout;
        if (!IsOfFamily(other) || here == other.Layout) return this;
        var tensors = Checkpoint.Tensors.Select(tensor =>
        {
            string name = here?.ToTable(tensor.Name) ?? tensor.Name;
            return (TensorSource)new RenamedTensor(other.Layout?.ToHere(name) ?? name, tensor);
        });
        var checkpoint = Checkpoint.With([.. tensors]);
        return this with { Checkpoint = checkpoint, Architecture = other };
    }

    /// <summary>Whether both are the same entry of the table, in whatever layout.</summary>
    internal bool IsOfFamily(Architecture other) => Architecture.IsKnown && Architecture.ClassNames == other.ClassNames;

    /// <summary>Number of layers in one of its modules.</summary>
    internal int LayersOf(ArchitectureModule module) =>
        module.Name == Architecture.ModuleName ? LayerCount
        : CountLayers(Checkpoint, Architecture, Architecture.Modules.FirstOrDefault(own => own.Name == module.Name) ?? module);

    /// <summary>The layers of a module for which there are tensors, beyond those that the model is said to have.</summary>
    internal IEnumerable<int> SurplusLayers(ArchitectureModule module)
    {
        int count = LayersOf(module);
        return Checkpoint.Tensors.Where(tensor => Architecture.ModuleOf(tensor.Name) == module.Name).Select(tensor => module.LayerOf(tensor.Name)?.Layer ?? -1)
            .Where(layer => layer >= count).Distinct();
    }

    /// <summary>The tensors of one of its layers, named behind the layer's number, in the order of the files.</summary>
    internal IEnumerable<string> TensorsOfLayer(ArchitectureModule module, int layer)
    {
        string prefix = module.LayerTensor(layer, "");
        return Checkpoint.Tensors.Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal)).Select(tensor => tensor.Name[prefix.Length..]);
    }

    static int CountLayers(Checkpoint checkpoint, Architecture architecture, ArchitectureModule module)
    {
        int fromNames = 1 + checkpoint.Tensors.Max(tensor => architecture.ModuleOf(tensor.Name) == module.Name ? module.LayerOf(tensor.Name)?.Layer ?? -1 : -1);
        var stated = module.CountPlaces(checkpoint.Config).Select(place => place.Parent[place.Key]).FirstOrDefault();
        // A config that promises more layers than there are is found where the layer's tensors are looked up; one that promises fewer has its reasons.
        return stated is JsonValue value && value.TryGetValue(out int count) && count is > 0 and <= 100_000 ? count : fromNames;
    }
}
