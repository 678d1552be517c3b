using System.Collections.Immutable;
using Recall.Checkpoints.Architectures;
using Recall.Configuration;

namespace Recall.Planning;

/// <summary>A slice of the output, with its models opened. The <c>models</c> form is one slice of whole models.</summary>
/// <param name="Sources">The sources, in order.</param>
/// <param name="FirstLayer">The output layer that the slice begins with.</param>
/// <param name="Base">The base model that holds in the slice: an index of the plan's models; −1: none.</param>
/// <param name="Parameters">The slice's own parameters.</param>
sealed record PlannedSlice(ImmutableArray<PlannedSource> Sources, int FirstLayer, int Base, ParameterSet Parameters)
{
    /// <summary>Number of layers.</summary>
    public int Layers => Sources[0].End - Sources[0].Start;

    /// <summary>The slices of a module, by the config of that module.</summary>
    /// <exception cref="ConfigurationException">Layers out of range, or models of different depth.</exception>
    public static ImmutableArray<PlannedSlice> All(
        MergeConfig config, ImmutableArray<OpenedModel> models, ArchitectureModule module, bool baseTakesPart)
    {
        int IndexOf(ModelReference reference) => OpenedModel.IndexOf(models, reference);
        int globalBase = config.BaseModel is { } named ? IndexOf(named) : -1;
        if (config.Models.Length > 0)
        {
            var sources = config.Models.Select(entry => Whole(models, module, IndexOf(entry.Model), entry.Parameters, entry.Place.Message)).ToList();
            // mergekit appends a base that is not listed, as a model without parameters.
            if (baseTakesPart && globalBase >= 0 && sources.TrueForAll(source => source.Model != globalBase))
                sources.Add(Whole(models, module, globalBase, ParameterSet.None, what => $"{config.File}: base_model: {what}"));
            foreach (var source in sources)
            {
                if (source.End != sources[0].End)
                    throw new ConfigurationException(source.Describe(
                        $"{models[source.Model].Name} has {source.End} layers{Told(module)}, {models[sources[0].Model].Name} has {sources[0].End}; "
                            + "models of different depth merge only by 'slices' with a layer_range each"));
            }
            return [new PlannedSlice([.. sources], 0, globalBase, ParameterSet.None)];
        }
        int next = 0;
        var slices = ImmutableArray.CreateBuilder<PlannedSlice>();
        foreach (var slice in config.Slices)
        {
            var sources = slice.Sources.Select(source => Part(models, module, IndexOf(source.Model), source)).ToImmutableArray();
            int own = slice.BaseModel is { } reference ? IndexOf(reference) : globalBase;
            slices.Add(new PlannedSlice(sources, next, own, slice.Parameters));
            next += slices[^1].Layers;
        }
        return slices.ToImmutable();
    }

    static PlannedSource Whole(
        ImmutableArray<OpenedModel> models, ArchitectureModule module, int model, ParameterSet parameters, Func<string, string> describe) =>
        new(model, 0, models[model].LayersOf(module), parameters, describe);

    static PlannedSource Part(ImmutableArray<OpenedModel> models, ArchitectureModule module, int model, SliceSource source)
    {
        int layers = models[model].LayersOf(module);
        if (source.End > layers)
            throw source.Place.Error($"layer_range [{source.Start}, {source.End}] goes beyond the {layers} layers of {models[model].Name}{Told(module)}");
        return new PlannedSource(model, source.Start, source.End, source.Parameters, source.Place.Message);
    }

    static string Told(ArchitectureModule module) => module.Name == "default" ? "" : $" in module {Quoted.Of(module.Name)}";
}

/// <summary>A module of the output.</summary>
/// <param name="Module">Which.</param>
/// <param name="Config">What the config asks for it.</param>
/// <param name="Slices">Its slices.</param>
sealed record PlannedModule(ArchitectureModule Module, MergeConfig Config, ImmutableArray<PlannedSlice> Slices)
{
    /// <summary>The modules that the config asks for.</summary>
    public static ImmutableArray<PlannedModule> All(
        ImmutableArray<(string Module, MergeConfig Config)> asked, ImmutableArray<OpenedModel> models, Architecture architecture, bool baseTakesPart)
    {
        var known = architecture.Modules;
        return
        [
            .. asked.Select(entry =>
            {
                var module = known.First(each => each.Name == entry.Module);
                return new PlannedModule(module, entry.Config, PlannedSlice.All(entry.Config, models, module, baseTakesPart));
            }),
        ];
    }
}

/// <summary>Layers <paramref name="Start"/> to <paramref name="End"/> (excluded) of a model, as a part of a slice.</summary>
/// <param name="Model">Index of the plan's models.</param>
/// <param name="Start">First layer.</param>
/// <param name="End">The layer after the last.</param>
/// <param name="Parameters">Its own parameters.</param>
/// <param name="Describe">Puts the place in the config before a message.</param>
sealed record PlannedSource(int Model, int Start, int End, ParameterSet Parameters, Func<string, string> Describe);
