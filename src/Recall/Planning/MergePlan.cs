using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Methods;

namespace Recall.Planning;

/// <summary>
/// Everything that a merge will do, known before a weight is read: every output tensor with its sources, parameters, file and offset; the
/// output's config and companion files; what it costs. Whatever can be wrong with a config and its models is found while making it.
/// </summary>
public sealed record MergePlan
{
    /// <summary>What was asked.</summary>
    public required MergeConfig Config { get; init; }

    /// <summary>How it is run.</summary>
    public required MergeOptions Options { get; init; }

    /// <summary>The method that merges the tensors.</summary>
    public required MergeMethod Method { get; init; }

    /// <summary>The models, the base first; indices elsewhere in the plan count these.</summary>
    public required ImmutableArray<OpenedModel> Models { get; init; }

    /// <summary>The model that gives config.json and, unless the config says otherwise, the tokenizer.</summary>
    public required OpenedModel Donor { get; init; }

    /// <summary>The output's tensors, in the order of their files.</summary>
    public required ImmutableArray<OutputTensor> Tensors { get; init; }

    /// <summary>The output's files of weights.</summary>
    public required ImmutableArray<OutputShard> Shards { get; init; }

    /// <summary>The output's config.json; empty where the inputs are bare files of weights.</summary>
    public required JsonObject OutputConfig { get; init; }

    /// <summary>Files that are copied beside the weights.</summary>
    public required ImmutableArray<CheckpointFile> Files { get; init; }

    /// <summary>In a merge by representations: how layer weights are used; null otherwise.</summary>
    public LayerWeighting? Weighting { get; init; }

    /// <summary>In a merge by what the layers do: the experts with their texts and cards; null otherwise.</summary>
    public PlannedAlignment? Alignment { get; init; }

    /// <summary>The name under which the config's text lies in the output.</summary>
    internal string ConfigName { get; init; } = "mergekit_config.yml";

    /// <summary>What the user should know.</summary>
    public required ImmutableArray<string> Notes { get; init; }

    /// <summary>Bytes, memory.</summary>
    public required MergeCost Cost { get; init; }

    /// <summary>Number of the output's layers.</summary>
    public int LayerCount { get; internal init; }

    /// <summary>Plans a merge: opens the models (headers only) and checks everything.</summary>
    /// <exception cref="RecallException">Something is wrong; nothing has been written.</exception>
    public static MergePlan Make(MergeConfig config, MergeOptions options) => Make(config, options, Checkpoint.Open);

    /// <summary>The same with models from elsewhere: those that an earlier merge of a chain is yet to write.</summary>
    internal static MergePlan Make(MergeConfig config, MergeOptions options, Func<string, Checkpoint> open)
    {
        var chosen = new List<string>();
        var alignment = PlannedAlignment.Of(config.Modules is [var only] ? config.Of(only) : config, options, chosen);
        // Least squares take the models as they are, and round once, at the end.
        if (alignment is not null) config = config with { OutDType = config.OutDType ?? config.DType, DType = null };
        var method = alignment is null ? FindMethod(config) : new LeastSquares(alignment.Method);
        bool sliceHasBase = config.Slices.Concat(config.Modules.SelectMany(module => module.Slices)).Any(slice => slice.BaseModel is not null);
        if (method.Base == BaseUse.Required && config.BaseModel is null && !sliceHasBase && !(config.Method == "recall" && method is Slerp))
            throw config.MethodPlace.Error($"the method {method.Name} needs a base model: set base_model");
        var models = config.ReferencedModels.Select(reference => OpenedModel.Open(reference, open)).ToImmutableArray();
        if (options.Raw is not null) models = [.. models.Select(model => model.WeightsOnly())];
        var donor = models[0];
        var architecture = donor.Architecture;
        CheckArchitectures(config, models, options);
        var notes = config.Notes.Concat(chosen).Concat(ModuleNotes.Of(config, models)).ToList();
        models = [.. models.Select(model => model.NamedAs(architecture))];
        var asked = config.ByModule([.. architecture.Modules.Select(module => module.Name)]);
        if (architecture.NumbersOutside && asked.Any(entry => entry.Config.Slices.Length > 0))
            throw config.MethodPlace.Error($"{architecture.ClassNames[0]} numbers embedding and head with its layers, so that 'slices' would leave it "
                + "without them; give whole models under 'models'");
        // Models of one module: the config reads the same whether the module was named or not.
        if (asked.Length == 1) config = asked[0].Config;
        var weighting = config.Method == "recall" && alignment is null ? MakeWeighting(config, method, models) : null;
        var vocabulary = config.Tokenizer is null ? null : OutputVocabulary.Make(config, models, notes);
        if (alignment is not null) vocabulary?.RequireUnchanged(alignment.Method);
        var modules = PlannedModule.All(asked, models, architecture, weighting is null || weighting.NeedsBase);
        var partial = options.Raw is { } rule ? new PartialInputs(rule) : null;
        var planned = TensorPlanner.Plan(
            modules, module => new(module, method, models, architecture, weighting, vocabulary, options.Seed) { Partial = partial }, notes);
        if (options.WeightsFile is { } given && weighting is null)
            notes.Add($"--weights {given}: is not read; the merge has no layer weights ('merge_method: recall' has)");
        if (options.SeedIsGiven && !method.IsRandom)
            notes.Add($"--random-seed {options.Seed}: without effect: the method {method.Name} draws no random numbers");
        if (vocabulary is not null && !options.CopyTokenizer)
            notes.Add("--no-copy-tokenizer: without effect where the config makes a tokenizer");
        if (planned.Count == 0) throw new RecallException($"{config.File}: there is nothing to merge: the models have no tensor in common");
        var (tensors, shards) = OutputLayout.Make(planned, options.ShardBytes);
        if (vocabulary is null || weighting is not null || alignment is not null)
            notes.AddRange(Vocabularies.Compare(models, weighting is not null || alignment is not null));
        var plan = new MergePlan
        {
            Config = config,
            Options = options,
            Method = method,
            Models = models,
            Donor = donor,
            Tensors = tensors,
            Shards = shards,
            OutputConfig = [],
            Files = OutputFiles.Make(config, options, models, vocabulary, notes),
            LayerCount = modules.FirstOrDefault(module => module.Module.Name == architecture.ModuleName)?.Slices.Sum(slice => slice.Layers) ?? 0,
            Weighting = weighting,
            Alignment = alignment,
            Notes = [],
            Cost = alignment is null ? MergeCost.Of(tensors, shards, weighting, options)
                : MergeCost.OfAlignment(tensors, shards, alignment, architecture.Block?.StoredTransposed == true),
        };
        var outputConfig = Planning.OutputConfig.Make(plan, modules, notes);
        if (vocabulary is not null) TokenNumbers.Follow(outputConfig, "config.json", vocabulary, donor, notes);
        return plan with { OutputConfig = outputConfig, Notes = [.. notes] };
    }

    static MergeMethod FindMethod(MergeConfig config)
    {
        bool recall = config.Method == "recall";
        string name = recall ? config.Recall?.Combine ?? "linear" : config.Method;
        if (MethodTable.Find(name) is { } method) return method;
        var known = MethodTable.All.Select(each => each.Name).Concat(recall ? [] : ["recall"]).Order(StringComparer.Ordinal).ToList();
        string hint = Quoted.Nearest(name, known) is { } near ? $"; did you mean '{near}'?" : $"; known: {string.Join(", ", known)}";
        throw (recall ? config.Recall!.Place with { Path = "recall.combine" } : config.MethodPlace).Error($"unknown merge method {Quoted.Of(name)}{hint}");
    }

    static void CheckArchitectures(MergeConfig config, ImmutableArray<OpenedModel> models, MergeOptions options)
    {
        foreach (var model in models)
            if (model.Checkpoint.Config["architectures"] is JsonArray { Count: > 1 })
                throw new RecallException($"{model.Name}: config.json names more than one architecture; name one by override_architecture");
        if (options.AllowCrimes) return;
        foreach (var model in models)
        {
            if (!model.Architecture.IsKnown || !models[0].Architecture.IsKnown || model.IsOfFamily(models[0].Architecture)) continue;
            throw new RecallException(
                $"{config.File}: the models have different architectures: {models[0].Name} is {models[0].Architecture.ClassNames[0]}, {model.Name} "
                    + $"{model.Architecture.ClassNames[0]}; --allow-crimes merges them all the same");
        }
    }

    static LayerWeighting MakeWeighting(MergeConfig config, MergeMethod method, ImmutableArray<OpenedModel> models)
    {
        var options = config.Recall ?? new RecallOptions { Place = config.MethodPlace };
        if (config.Models.Length == 0) throw config.MethodPlace.Error("the method recall merges whole models: give them under 'models'");
        if (config.Models.Length < 2) throw config.MethodPlace.Error("the method recall needs at least two models");
        var members = config.Models.Select(entry => OpenedModel.IndexOf(models, entry.Model)).ToImmutableArray();
        if (members.Distinct().Count() < members.Length) throw config.MethodPlace.Error("the method recall takes each model once");
        int reference = config.ReferenceModel is { } named ? members.IndexOf(OpenedModel.IndexOf(models, named)) : members.Length - 1;
        if (reference < 0) throw config.MethodPlace.Error($"reference_model {config.ReferenceModel} is not among the models");
        return new LayerWeighting(method, options, members, reference);
    }
}
