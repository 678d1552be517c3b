using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Extraction;

/// <summary>What an extraction will hold, known before a weight is decomposed.</summary>
sealed class ExtractionPlan
{
    readonly OpenedModel _base, _tuned;
    readonly ExtractionOptions _options;
    readonly List<ModulePattern> _exclude, _include;
    readonly ModuleNames _names;
    readonly List<PlannedModule> _modules = [];
    readonly List<string> _leftOut = [], _notes = [], _unsaid = [];

    ExtractionPlan(OpenedModel baseModel, OpenedModel tuned, ExtractionOptions options)
    {
        (_base, _tuned, _options) = (baseModel, tuned, options);
        _exclude = [.. options.Exclude.Select(text => ModulePattern.Anywhere(text, "--exclude-regex"))];
        _include = [.. options.Include.Select(text => ModulePattern.Anywhere(text, "--include-regex"))];
        _names = new ModuleNames(baseModel.Checkpoint);
    }

    /// <summary>The modules that the adapter holds, in the order of the base.</summary>
    public IReadOnlyList<PlannedModule> Modules => _modules;

    /// <summary>Linear layers without factors.</summary>
    public IReadOnlyList<string> LeftOut => _leftOut;

    /// <summary>What the user should know.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Decides on every module.</summary>
    /// <exception cref="RecallException">Models that do not belong together, options that fit nothing, a difference that no adapter can hold.</exception>
    public static ExtractionPlan Make(OpenedModel baseModel, OpenedModel tuned, ExtractionOptions options)
    {
        if (options.MaxRank < 1) throw new ConfigurationException($"--max-rank {options.MaxRank}: a rank is at least 1");
        if (!(options.SvEpsilon >= 0) || double.IsInfinity(options.SvEpsilon))
            throw new ConfigurationException($"--sv-epsilon {options.SvEpsilon}: a singular value is expected, at least 0");
        var plan = new ExtractionPlan(baseModel, tuned, options);
        plan.Run();
        return plan;
    }

    void Run()
    {
        var pairs = Pairs();
        var groups = pairs.GroupBy(pair => Split(pair.Key).Module, StringComparer.Ordinal).ToList();
        var modules = groups.Select(group => group.Key).ToList();
        foreach (string asked in _options.SaveModules)
        {
            if (modules.Exists(module => LoraConfig.IsEndOf(asked, module))) continue;
            string? near = Quoted.Nearest(asked, modules.Select(module => module[(module.LastIndexOf('.') + 1)..]).Distinct());
            throw new ConfigurationException(
                $"--save-module {Quoted.Of(asked)}: {_base.Name} has no such module" + (near is null ? "" : $"; did you mean '{near}'?"));
        }
        foreach (var group in groups)
            Place(group.Key, group.ToDictionary(pair => Split(pair.Key).Part, pair => pair.Value, StringComparer.Ordinal));
        // PEFT refuses lora_bias where an embedding has factors.
        if (_modules.Exists(module => module.Form == ModuleForm.Factors && module.Tensors.ContainsKey("bias")))
        {
            foreach (var embedding in _modules.Where(module => module.Form == ModuleForm.EmbeddingFactors).ToList())
            {
                _modules[_modules.IndexOf(embedding)] = embedding with { Form = ModuleForm.Whole };
                _notes.Add($"{embedding.Name} is held whole: PEFT takes no factors of an embedding beside the biases of linear layers");
            }
        }
        if (_unsaid.Count > 0)
            _notes.Add($"left out: {string.Join(", ", _unsaid.Take(3).Select(Quoted.Of))}{(_unsaid.Count > 3 ? $" and {_unsaid.Count - 3} more" : "")}");
        if (_modules.TrueForAll(module => module.Form == ModuleForm.Whole))
            throw new RecallException(
                $"no linear layer of {_base.Name} is left to be decomposed: an adapter needs at least one; look at "
                    + "--include-regex and --exclude-regex");
    }

    /// <summary>The tensors of both models, by the base's name; a tied head counts as the embedding under the head's name.</summary>
    Dictionary<string, (TensorSource Base, TensorSource Tuned)> Pairs()
    {
        var pairs = new Dictionary<string, (TensorSource, TensorSource)>(StringComparer.Ordinal);
        var (head, embedding) = (_base.Architecture.Head, _base.Architecture.Embedding);
        foreach (var tensor in _base.Checkpoint.Tensors)
        {
            if (!tensor.DType.IsFloat()) continue;
            var other = new ModuleNames(_tuned.Checkpoint).Find(tensor.Name) ?? (tensor.Name == head ? _tuned.Checkpoint.Find(embedding) : null);
            if (other is null && Excluded(Split(tensor.Name).Module)) continue;
            pairs.Add(tensor.Name, (tensor, other ?? throw new RecallException(
                $"{_tuned.Name} lacks tensor {Quoted.Of(tensor.Name)}, which {_base.Name} has: is it a fine-tune of it?")));
        }
        if (_base.Checkpoint.Find(head) is null && _base.Checkpoint.Find(embedding) is { } tied)
        {
            var tuned = _tuned.Checkpoint.Find(head) ?? _tuned.Checkpoint.Find(embedding);
            if (tuned is not null) pairs.Add(head, (tied, tuned));
        }
        foreach (var tensor in _tuned.Checkpoint.Tensors.Where(tensor => tensor.DType.IsFloat() && tensor.Name != head && _names.Find(tensor.Name) is null))
        {
            if (Excluded(Split(tensor.Name).Module)) continue;
            if (!_options.SkipUndecomposable)
                throw new RecallException(
                    $"{_tuned.Name} has tensor {Quoted.Of(tensor.Name)}, which {_base.Name} lacks: an adapter cannot hold "
                        + "it; --skip-undecomposable leaves it out");
            _unsaid.Add(tensor.Name);
        }
        return pairs;
    }

    void Place(string module, Dictionary<string, (TensorSource Base, TensorSource Tuned)> tensors)
    {
        bool vocabulary = module + ".weight" == _base.Architecture.Embedding || module + ".weight" == _base.Architecture.Head;
        bool embedding = module + ".weight" == _base.Architecture.Embedding;
        bool linear = tensors.TryGetValue("weight", out var weight) && weight.Base.Shape is { Rank: 2, Elements: > 0 };
        bool alike = tensors.Values.All(pair => pair.Base.Shape == pair.Tuned.Shape);
        if (Excluded(module) || (!vocabulary && _include.Count > 0 && !_include.Exists(pattern => pattern.Fits(module))))
        {
            if (linear) _leftOut.Add(module);
            return;
        }
        if (!alike && !vocabulary)
        {
            var (was, now) = tensors.Values.First(pair => pair.Base.Shape != pair.Tuned.Shape);
            throw new RecallException(
                $"{Quoted.Of(was.Name)} has shape {was.Shape} in {_base.Name}, {now.Shape} in {_tuned.Name}: an "
                    + "adapter cannot change it; --exclude-regex leaves it out");
        }
        bool save = _options.SaveModules.Any(asked => LoraConfig.IsEndOf(asked, module)) || (vocabulary && (!_options.EmbedLora || !alike));
        if (vocabulary && _options.EmbedLora && !alike) _notes.Add($"{module} is held whole: {_tuned.Name} has another number of tokens");
        if (!save && linear)
        {
            bool transposed = embedding || _names.IsConv1D(module) == true;
            _modules.Add(new PlannedModule(module, embedding ? ModuleForm.EmbeddingFactors : ModuleForm.Factors, tensors, transposed));
            return;
        }
        if (linear) _leftOut.Add(module);
        bool isParameter = tensors.ContainsKey("");
        if (!save && _options.SkipUndecomposable)
        {
            _unsaid.Add(module);
            return;
        }
        // PEFT saves modules whole, but not parameters that no module calls its weight: stacked experts, states of recurrent layers.
        if (isParameter && !tensors.Values.All(pair => TensorEquality.Same(pair.Base, pair.Tuned)))
            throw new RecallException(
                $"{_tuned.Name} changes {Quoted.Of(module)}, which an adapter can hold neither as factors nor whole; "
                    + "--skip-undecomposable or --exclude-regex leaves it out");
        if (!isParameter) _modules.Add(new PlannedModule(module, ModuleForm.Whole, tensors, Transposed: false));
    }

    bool Excluded(string module) => _exclude.Exists(pattern => pattern.Fits(module));

    /// <summary>A module and what stands behind its name; of a parameter that is neither weight nor bias all, and nothing.</summary>
    static (string Module, string Part) Split(string tensor)
    {
        foreach (string part in (string[])["weight", "bias"])
            if (tensor.EndsWith("." + part, StringComparison.Ordinal)) return (tensor[..^(part.Length + 1)], part);
        return (tensor, "");
    }
}
