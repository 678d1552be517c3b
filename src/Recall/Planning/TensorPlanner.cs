using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Checkpoints.Architectures;
using Recall.Configuration;
using Recall.Methods;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>
/// Lists the tensors of a module of the output: of each slice those of its layers, numbered on; before and after them the tensors outside the
/// layers, which take the models and parameters of the first and of the last slice, at depth 0. What the family has no rule for is merged like its
/// neighbours where all models have it, and named in the notes.
/// </summary>
sealed class TensorPlanner
{
    readonly MergeConfig _config;
    readonly MergeMethod _method;
    readonly ImmutableArray<OpenedModel> _models;
    readonly ImmutableArray<PlannedSlice> _slices;
    readonly ParameterLookup _parameters;
    readonly Architecture _architecture;
    readonly ArchitectureModule _module;
    readonly LayerWeighting? _weighting;
    readonly OutputVocabulary? _vocabulary;
    readonly long _seed;
    readonly ShapeFit _shapes;
    readonly List<string> _notes = [];
    readonly HashSet<string> _remarks = [];
    readonly SortedDictionary<string, int> _withoutRule = new(StringComparer.Ordinal);
    readonly List<OutputTensor> _tensors = [];

    public TensorPlanner(
        PlannedModule module, MergeMethod method, ImmutableArray<OpenedModel> models, Architecture architecture,
        LayerWeighting? weighting, OutputVocabulary? vocabulary, long seed)
    {
        (_config, _module, _slices) = (module.Config, module.Module, module.Slices);
        (_method, _models, _architecture, _weighting, _vocabulary, _seed) = (method, models, architecture, weighting, vocabulary, seed);
        _parameters = new ParameterLookup(_config, method, models, weighting is not null);
        _shapes = new ShapeFit(_config, method, models, _notes);
    }

    /// <summary>In a merge of bare files of weights: what becomes of tensors that not all have.</summary>
    public PartialInputs? Partial { get; init; }

    /// <summary>All tensors of all modules, without their places. Adds what the user should know to the notes.</summary>
    /// <exception cref="RecallException">
    /// A tensor missing in a model, shapes that differ, a parameter missing, inputs that the method does not take.
    /// </exception>
    public static List<OutputTensor> Plan(ImmutableArray<PlannedModule> modules, Func<PlannedModule, TensorPlanner> plannerOf, List<string> notes)
    {
        var planners = modules.Select(plannerOf).ToList();
        notes.AddRange(planners.SelectMany(planner => planner._parameters.CheckNames()).Distinct());
        var tensors = planners.SelectMany(planner => planner.Plan()).ToList();
        notes.AddRange(planners.SelectMany(planner => planner._notes));
        if (planners.Count > 0) notes.AddRange(planners[0].Partial?.Notes() ?? []);
        // A filter may be meant for one module and fit no tensor of another.
        var names = tensors.SelectMany(tensor => tensor.Sources.Select(source => source.Name).Append(tensor.Name)).ToHashSet(StringComparer.Ordinal);
        notes.AddRange(planners.SelectMany(planner => planner._parameters.UnusedFilters(names)).Distinct());
        return tensors;
    }

    /// <summary>The tensors of the module.</summary>
    List<OutputTensor> Plan()
    {
        PlanOutside(_slices[0].Sources, _slices[0], after: false);
        foreach (var slice in _slices)
            for (int layer = 0; layer < slice.Layers; layer++) PlanLayer(slice, layer);
        PlanSurplus();
        // mergekit pairs the last slice's sources with the inputs of the first: surplus ones have no part in what comes after the layers.
        PlanOutside([.. _slices[^1].Sources.Take(_slices[0].Sources.Length)], _slices[^1], after: true);
        if (_withoutRule.Count > 0)
            _notes.Add($"{_architecture.ClassNames[0]} has no rule for these tensors, which are merged like those beside them: "
                + $"{string.Join(", ", _withoutRule.Select(entry => entry.Value == 1 ? entry.Key : $"{entry.Key} ({entry.Value})"))}");
        return _tensors;
    }

    void PlanLayer(PlannedSlice slice, int layer)
    {
        double t = slice.Layers == 1 ? 1 : (double)layer / (slice.Layers - 1);
        int outputLayer = slice.FirstLayer + layer;
        var rests = _module.LayerTensors.Where(name => !name.Contains('*', StringComparison.Ordinal))
            .Concat(slice.Sources.SelectMany(source => _models[source.Model].TensorsOfLayer(_module, source.Start + layer)));
        foreach (string rest in rests.Distinct())
        {
            var names = slice.Sources.Select(source => _module.LayerTensor(source.Start + layer, rest)).ToImmutableArray();
            var rule = _module.Requires(rest) ? Rule.Required : _module.KnowsInLayer(rest) && _architecture.IsKnown ? Rule.Optional : Rule.None;
            Add(_module.LayerTensor(outputLayer, rest), slice, slice.Sources, names, t, rule, WeightLayer(outputLayer + 1));
        }
    }

    /// <summary>
    /// Layers for which there are tensors beyond the number that config.json states: a layer that predicts a further token, say. Whole models keep
    /// them; where layers are chosen, or where forward passes weigh them, they have no place.
    /// </summary>
    void PlanSurplus()
    {
        var (slice, models) = (_slices[^1], _slices.SelectMany(slice => slice.Sources).Select(source => source.Model).Distinct());
        var surplus = models.SelectMany(model => _models[model].SurplusLayers(_module)).Distinct().Order().ToList();
        if (surplus.Count == 0) return;
        string which = $"{_module.LayerPrefix}{string.Join(", ", surplus)}: beyond the {slice.Sources[0].End} layers that config.json states";
        if (_config.Slices.Length > 0 || _weighting is not null || _method is LeastSquares)
        {
            _notes.Add($"{_module.LayerPrefix}{string.Join(", ", surplus)}: beyond the layers that config.json states: left out");
            return;
        }
        _notes.Add($"{which}: merged like the last of them");
        foreach (int layer in surplus)
        {
            foreach (string rest in slice.Sources.SelectMany(source => _models[source.Model].TensorsOfLayer(_module, layer)).Distinct())
            {
                string name = _module.LayerTensor(layer, rest);
                Add(name, slice, slice.Sources, [.. slice.Sources.Select(_ => name)], t: 1, Rule.Optional, weightLayer: -1);
            }
        }
    }

    /// <summary>Layer weights are those of the main module's layers.</summary>
    int WeightLayer(int layer) => _module.Name == _architecture.ModuleName ? layer : -1;

    void PlanOutside(ImmutableArray<PlannedSource> sources, PlannedSlice slice, bool after)
    {
        var names = sources.SelectMany(source => _models[source.Model].Checkpoint.Tensors).Select(tensor => tensor.Name)
            .Where(name => _architecture.ModuleOf(name) == _module.Name && _module.LayerOf(name) is null).Distinct().ToList();
        string needed = after ? _architecture.FinalNorm : _architecture.Embedding;
        if (IsNeeded(needed)) names = [.. names.Union([needed])];
        foreach (string name in names)
        {
            bool isAfter = IsPartOf(_architecture.FinalNorm, name) || IsPartOf(_architecture.Head, name) || ArchitectureModule.Fits(_module.After, name);
            if (isAfter != after) continue;
            bool isNamed = isAfter || name == _architecture.Embedding || ArchitectureModule.Fits(_module.Before, name);
            // Of modules beside the main one the table does not list every tensor; all that begins with their names is theirs.
            var rule = IsNeeded(name) ? Rule.Required
                : _architecture.IsKnown && (isNamed || _module.Name != _architecture.ModuleName) ? Rule.Optional : Rule.None;
            int weightLayer = name == _architecture.Embedding ? 0 : isAfter ? _slices[^1].FirstLayer + _slices[^1].Layers : -1;
            Add(name, slice, sources, [.. sources.Select(_ => name)], 0, rule, WeightLayer(weightLayer));
        }
    }

    /// <summary>True for the two tensors that no model is without, a few families excepted.</summary>
    bool IsNeeded(string name) => _architecture.IsKnown && name.Length > 0
        && (name == _architecture.Embedding || (name == _architecture.FinalNorm && !_architecture.FinalNormMayLack))
        && _architecture.ModuleOf(name) == _module.Name && _module.LayerOf(name) is null;

    /// <summary>A norm's or head's weight, or the bias beside it.</summary>
    static bool IsPartOf(string weight, string name) =>
        name == weight || (weight.EndsWith(".weight", StringComparison.Ordinal) && name == weight[..^"weight".Length] + "bias");

    /// <summary>What the family says of a tensor.</summary>
    enum Rule
    {
        /// <summary>Nothing.</summary>
        None,
        /// <summary>A model may lack it.</summary>
        Optional,
        /// <summary>Every model has it.</summary>
        Required,
    }

    void Add(
        string name, PlannedSlice slice, ImmutableArray<PlannedSource> sources, ImmutableArray<string> names, double t, Rule rule, int weightLayer)
    {
        bool required = rule == Rule.Required;
        var found = sources.Zip(names, (source, sourceName) => Take(source.Model, sourceName)).ToList();
        var have = Enumerable.Range(0, sources.Length).Where(i => found[i] is not null).ToList();
        if (have.Count == 0 && !required) return;
        if (have.Count < sources.Length && Partial is not null)
        {
            var lacking = sources.Where((_, i) => found[i] is null).ToList();
            bool baseLacks = _method.Base == BaseUse.Required && lacking.Exists(source => source.Model == slice.Base);
            string owner = _models[sources[have[0]].Model].Name;
            if (!Partial.Takes(name, baseLacks, lacking[0].Describe($"{_models[lacking[0].Model].Name} lacks tensor {name}, which {owner} has")))
                return;
        }
        else if (have.Count < sources.Length)
        {
            var lacking = Enumerable.Range(0, sources.Length).First(i => found[i] is null);
            if (required)
            {
                string why = have.Count > 0 ? $", which {_models[sources[have[0]].Model].Name} has" : $", which a model of class "
                    + $"{_architecture.ClassNames.FirstOrDefault()} needs";
                throw new RecallException(sources[lacking].Describe(
                    $"model {_models[sources[lacking].Model].Name} lacks tensor {names[lacking]}{why}: are all of its files there, and is its "
                        + "config.json its own?"));
            }
            string only = string.Join(", ", have.Select(i => _models[sources[i].Model].Name).Distinct());
            if ((_architecture.IsKnown && rule == Rule.None)
                || sources.Any(source => source.Model == slice.Base && !have.Exists(i => sources[i].Model == slice.Base)))
            {
                _notes.Add($"{name}: only {only} has it, and "
                    + $"{(rule == Rule.None && _architecture.IsKnown ? "the family needs no such tensor" : "the base has not")}: left out");
                return;
            }
            _notes.Add($"{name}: only {only} has it: merged from there");
        }
        if (rule == Rule.None && _architecture.IsKnown) CountWithoutRule(name);
        var inputs = new TensorInputs
        {
            Name = name,
            Shape = found[have[0]]!.Shape,
            Models = [.. have.Select(i => sources[i].Model)],
            ModelNames = [.. have.Select(i => _models[sources[i].Model].Name)],
            BaseIndex = have.FindIndex(i => sources[i].Model == slice.Base),
            IsEmbedding = name == _architecture.Embedding || (name == _architecture.Head && _architecture.HeadMayBeTied),
            IsOptional = !required,
            Seed = _seed,
        };
        var tensors = have.Select(i => Cast(found[i]!)).ToImmutableArray();
        if (!tensors[0].DType.IsFloat())
        {
            Carry(inputs, tensors, weightLayer);
            return;
        }
        if (_method.Base == BaseUse.Required && inputs.BaseIndex < 0 && _weighting?.NeedsBase != false)
            throw (slice.Base < 0 ? _config.MethodPlace.Error($"the method {_method.Name} needs a base model: set base_model")
                : new ConfigurationException(sources[0].Describe($"the base model {_models[slice.Base].Name} is not among the sources; the method "
                    + $"{_method.Name} needs its {name}")));

        var own = have.Select(i => sources[i]).ToImmutableArray();
        inputs = _parameters.Fill(inputs, slice, own, [.. have.Select(i => names[i])], t);
        (inputs, tensors) = _shapes.Fit(inputs, tensors);
        if (_weighting is not null) inputs = _weighting.Apply(inputs, _weighting.Uniform);
        if (_method.Check(inputs) is { } reason) throw _config.MethodPlace.Error($"the method {_method.Name} cannot merge {name}: {reason}");

        if (_method.Remark(inputs) is { } remark && _remarks.Add(remark)) _notes.Add($"{name}: {remark}");

        var type = _config.OutDType ?? _method.ResultType([.. tensors.Select(tensor => _config.DType ?? tensor.DType)], inputs.BaseIndex);
        bool copied = tensors is [{ Verbatim: not null } only1] && only1.DType == type && _method is Passthrough && double.IsNaN(inputs.PerModel["scale"][0]);
        _tensors.Add(new OutputTensor(name, inputs.Shape, type, tensors, _method, inputs)
        {
            WeightLayer = weightLayer,
            Copied = copied ? tensors[0].Verbatim : null,
        });
    }

    /// <summary>
    /// <c>dtype</c> is the type of the arithmetic's inputs: wider ones are rounded to it as they are read. Not so in a merge by representations,
    /// which rounds once, at the end.
    /// </summary>
    TensorSource Cast(TensorSource tensor) =>
        _weighting is null && _config.DType is { } type && type.IsFloat() && tensor.DType.IsFloat() && tensor.DType != type && type != DType.F32
            ? new RoundedTensor(tensor, type)
            : tensor;

    /// <summary>A model's tensor, brought to the output's vocabulary where its rows are one.</summary>
    TensorSource? Take(int model, string name)
    {
        var tensor = Find(model, name);
        return tensor is null || _vocabulary?.Covers(name) != true ? tensor : _vocabulary.Gather(name, model, other => Find(other, name));
    }

    TensorSource? Find(int model, string name)
    {
        var checkpoint = _models[model].Checkpoint;
        if (checkpoint.Find(name) is { } tensor) return tensor;
        // A tied head is the embedding; it is written only where another model has a head of its own.
        bool headElsewhere = name == _architecture.Head && _architecture.HeadMayBeTied && _models.Any(model => model.Checkpoint.Find(name) is not null);
        return headElsewhere ? checkpoint.Find(_architecture.Embedding) : null;
    }

    void CountWithoutRule(string name)
    {
        string pattern = NamePattern.Of(name);
        _withoutRule[pattern] = _withoutRule.GetValueOrDefault(pattern) + 1;
    }

    /// <summary>Integers and truth values (position ids, masks) are not merged: the base's, or the first model's, are carried over.</summary>
    void Carry(TensorInputs inputs, ImmutableArray<TensorSource> tensors, int weightLayer)
    {
        int from = Math.Max(inputs.BaseIndex, 0);
        if (tensors.Length > 1) _notes.Add($"{inputs.Name}: holds {tensors[from].DType.TorchName()}, which is not merged: carried over from "
            + $"{inputs.ModelNames[from]}");
        _tensors.Add(new OutputTensor(inputs.Name, tensors[from].Shape, tensors[from].DType, [tensors[from]], _method,
            inputs with { Models = [inputs.Models[from]] })
        {
            WeightLayer = weightLayer,
            Copied = tensors[from].Verbatim ?? throw new RecallException($"{inputs.Name} of {inputs.ModelNames[from]}: integers that are not stored as "
                + "they are"),
        });
    }
}
