using System.Text.Json.Nodes;
using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// One adapter, put on one base: finds what each factor belongs to, checks that it fits, and puts the changed tensors together.
/// </summary>
sealed class LoraApplication
{
    readonly LoraAdapter _adapter;
    readonly Checkpoint _base;
    readonly ModuleNames _names;
    readonly TiedHead _tied;
    readonly Dictionary<string, TensorSource> _changed = new(StringComparer.Ordinal);

    public LoraApplication(LoraAdapter adapter, Checkpoint baseModel)
    {
        _adapter = adapter;
        _base = adapter.Config.LayerReplication is { } ranges ? LayerReplication.Apply(baseModel, ranges, adapter.Config.Path) : baseModel;
        _names = new ModuleNames(_base);
        _tied = new TiedHead(_base, adapter.Config.EnsureWeightTying);
    }

    public Checkpoint Run()
    {
        CheckThatSomethingFits();
        foreach (var (name, copy) in _adapter.Copies) Replace(name, copy);
        foreach (var module in _adapter.Modules) Update(module);
        foreach (var (module, rows) in _adapter.TokenRows) SetTokens(module, rows);
        if (!_adapter.Config.NamesSomeLayers) LayerCheck.Run(_adapter, _base, _names);
        CheckSavedModules();
        var config = (JsonObject)_base.Config.DeepClone();
        _tied.Settle(_adapter, _changed, config);
        SetVocabulary(config);
        var tensors = _base.Tensors.Select(tensor => _changed.Remove(tensor.Name, out var changed) ? changed : tensor).ToList();
        return _base.With([.. tensors, .. _changed.Values], config);
    }

    void CheckThatSomethingFits()
    {
        bool fits = _adapter.Modules.Any(module => Experts.IsExpert(module) || Find($"{module.Name}.weight") is not null)
            || _adapter.TokenRows.Count > 0 || _adapter.Copies.Keys.Any(name => Find(name) is not null);
        if (fits) return;
        string trained = _adapter.Config.BaseModel is { Length: > 0 } name ? $"; it was trained on {Quoted.Of(name)}" : "";
        string first = _adapter.Modules.Select(module => module.Name).Concat(_adapter.Copies.Keys).First();
        throw new RecallException($"{_adapter.Path}: belongs to another base: {_base.Path} has none of its modules, such as "
            + $"{Quoted.Of(first)}{trained}");
    }

    void Replace(string name, StoredTensor copy)
    {
        if (_tied.Covers(name)) return;
        if (Find(name) is not { } original) throw Bad(copy, $"belongs to no tensor of the base {_base.Path}");
        bool grows = _tied.IsVocabulary(name) && copy.Shape.Rank == 2 && original.Shape.Rank == 2 && copy.Shape[1] == original.Shape[1];
        if (copy.Shape != original.Shape && !grows)
            throw Bad(copy, $"has shape {copy.Shape}, but {Quoted.Of(original.Name)} of {_base.Path} has {original.Shape}");
        _changed[original.Name] = new RenamedTensor(original.Name, copy, original.DType);
    }

    void Update(LoraModule module)
    {
        if (Experts.IsExpert(module))
        {
            foreach (var expert in Experts.Update(module, _names, Current, _adapter.Config.Path)) _changed[expert.Name] = expert;
            return;
        }
        if (_tied.Covers($"{module.Name}.weight")) return;
        if (Find($"{module.Name}.weight") is not { } original)
            throw Bad(module.A, $"is for module {Quoted.Of(module.Name)}, which the base {_base.Path} does not have");
        var source = Current(original);
        bool transposed = IsStoredTransposed(module, source);
        var update = transposed
            ? new LowRankUpdate(module.A, module.B, true, module.Rank, module.Scale)
            : new LowRankUpdate(module.B, module.A, false, module.Rank, module.Scale);
        TensorSource updated = new LowRankTensor(source, update);
        if (module.Magnitude is { } magnitude)
        {
            if (magnitude.Shape.Elements != module.B.Shape[0])
                throw Bad(magnitude, $"has shape {magnitude.Shape}; one magnitude for each of {module.B.Shape[0]} outputs is expected");
            updated = new DoraTensor(updated, magnitude, transposed);
        }
        _changed[original.Name] = updated;
        if (module.Bias is { } bias) AddBias(module, bias);
        // PEFT counts a bias that is not there as zeros; where the base has none either, nothing is missing.
        else if (_adapter.Config.LoraBias && !module.IsEmbedding && Find($"{module.Name}.bias") is not null)
            throw new RecallException(
                $"{_adapter.Path}: module {Quoted.Of(module.Name)} has no lora_B.bias, but {_adapter.Config.Path} says lora_bias");
    }

    void AddBias(LoraModule module, StoredTensor bias)
    {
        if (Find($"{module.Name}.bias") is not { } original)
            throw Bad(bias, $"has no bias to be added to: module {Quoted.Of(module.Name)} of {_base.Path} has none, so that the adapter "
                + "cannot be merged");
        if (bias.Shape != original.Shape) throw Bad(bias, $"has shape {bias.Shape}, but {Quoted.Of(original.Name)} has {original.Shape}");
        _changed[original.Name] = new BiasTensor(Current(original), bias, module.Scale);
    }

    void SetTokens(string module, StoredTensor rows)
    {
        var indices = _adapter.Config.TokenIndices.FirstOrDefault(entry => LoraConfig.IsEndOf(entry.Key, module)).Value
            ?? (_adapter.TokenRows.Count == 1 ? _adapter.Config.TokenIndices.GetValueOrDefault("") : null)
            ?? throw Bad(rows, $"has no token indices in {_adapter.Config.Path}");
        if (_tied.Covers($"{module}.weight")) return;
        if (Find($"{module}.weight") is not { } original)
            throw Bad(rows, $"is for module {Quoted.Of(module)}, which the base {_base.Path} does not have");
        var source = Current(original);
        if (rows.Shape != new Shape(indices.Count, source.Shape.RowLength))
            throw Bad(rows, $"has shape {rows.Shape}; {indices.Count} rows of {source.Shape.RowLength} are expected: "
                + $"{Quoted.Of(source.Name)} has {source.Shape}");
        if (indices.Any(index => index >= source.Shape[0]))
            throw new RecallException($"{_adapter.Config.Path}: token {indices.Max()} is outside the vocabulary of {source.Shape[0]}");
        _changed[original.Name] = new TokenRowsTensor(source, rows, indices);
    }

    /// <summary>
    /// True for weights stored [in, out]. The flag fan_in_fan_out is often wrong, and PEFT corrects it by the class of the layer: so does
    /// Recall, by the family, and by the shapes where they tell.
    /// </summary>
    bool IsStoredTransposed(LoraModule module, TensorSource source)
    {
        Shape plain = new(module.B.Shape[0], module.A.Shape[1]), turned = new(module.A.Shape[1], module.B.Shape[0]);
        if (!source.DType.IsFloat())
            throw Bad(module.A, $"cannot be applied: {Quoted.Of(source.Name)} of {_base.Path} is stored as {source.DType}; a base that is "
                + "not quantised is needed");
        bool transposed = module.IsEmbedding
            || (_names.IsConv1D(module.Name) ?? (plain == turned ? _adapter.Config.FanInFanOut : source.Shape == turned));
        if (source.Shape == (transposed ? turned : plain)) return transposed;
        throw Bad(module.A, $"{module.A.Shape} and B {module.B.Shape} need a weight of shape {(transposed ? turned : plain)}, but "
            + $"{Quoted.Of(source.Name)} of {_base.Path} has {source.Shape}: the adapter belongs to another base");
    }

    void CheckSavedModules()
    {
        foreach (string saved in _adapter.Config.ModulesToSave)
        {
            if (_adapter.Copies.Keys.Any(name => name.Contains(saved, StringComparison.Ordinal))) continue;
            var missing = _base.Tensors.FirstOrDefault(tensor => LoraConfig.IsEndOf($"{saved}.weight", tensor.Name));
            if (missing is not null)
                throw new RecallException($"{_adapter.Config.Path}: modules_to_save names {Quoted.Of(saved)}, but the adapter holds no "
                    + $"copy of {Quoted.Of(missing.Name)}");
        }
    }

    /// <summary>Notes the size of a vocabulary that grew; head and embedding grow together.</summary>
    void SetVocabulary(JsonObject config)
    {
        if (_tied.Embedding is not { } embedding) return;
        long rows = Current(embedding).Shape[0], before = embedding.Shape[0];
        var head = _base.Find(TiedHead.Name) is { } own ? Current(own) : null;
        if (head is not null && head.Shape[0] != rows && (head.Shape[0] != before || rows != before))
        {
            throw new RecallException($"{_adapter.Path}: with this adapter {Quoted.Of(embedding.Name)} has {rows} rows and "
                + $"{Quoted.Of(head.Name)} {head.Shape[0]}: "
                + "a vocabulary grows in both");
        }
        if (rows == before) return;
        var holder = config["text_config"] is JsonObject text && text.ContainsKey("vocab_size") ? text : config;
        if (holder.ContainsKey("vocab_size")) holder["vocab_size"] = JsonNode.Parse($"{rows}");
    }

    TensorSource? Find(string name) => _names.Find(name) ?? _tied.FindHead(name, _changed);

    TensorSource Current(TensorSource original) => _changed.GetValueOrDefault(original.Name) ?? original;

    static RecallException Bad(StoredTensor tensor, string what) => new($"{tensor.File.Path}: tensor {Quoted.Of(tensor.Name)} {what}");
}
