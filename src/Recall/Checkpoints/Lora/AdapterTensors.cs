using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>The tensors of an adapter file, sorted by what they are for.</summary>
/// <param name="Modules">The modules with factors.</param>
/// <param name="Copies">Full values that take the place of the base's, by the name of the base's tensor.</param>
/// <param name="Tokens">New rows of embeddings, by module.</param>
sealed record AdapterTensors(
    IReadOnlyList<LoraModule> Modules, IReadOnlyDictionary<string, StoredTensor> Copies, IReadOnlyDictionary<string, StoredTensor> Tokens)
{
    const string Prefix = "base_model.model.", BaseLayer = ".base_layer", TokenAdapter = ".token_adapter";

    static readonly string[] Parts =
        ["lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector", "trainable_tokens_delta"];

    /// <summary>Sorts the tensors and checks that they agree with each other and with the config.</summary>
    /// <exception cref="RecallException">A factor without its partner, a rank that differs from the config, a name that says nothing to
    /// PEFT.</exception>
    public static AdapterTensors Sort(string path, LoraConfig config, IReadOnlyList<StoredTensor> tensors)
    {
        var factors = new SortedDictionary<string, Dictionary<string, StoredTensor>>(StringComparer.Ordinal);
        var copies = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        var tokens = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (var tensor in tensors)
        {
            if (!tensor.Name.StartsWith(Prefix, StringComparison.Ordinal))
                throw Bad(path, tensor, $"has a name that does not begin with {Prefix}, as those of PEFT do: is the adapter that of "
                    + "another trainer?");
            if (!tensor.DType.IsFloat()) throw Bad(path, tensor, $"is of type {tensor.DType}, not of floating point");
            string[] name = tensor.Name[Prefix.Length..].Split('.');
            int at = Array.FindIndex(name, part => Parts.Contains(part));
            if (at < 0)
            {
                string plain = string.Join('.', name)
                    .Replace($"{BaseLayer}.", ".", StringComparison.Ordinal).Replace($"{TokenAdapter}.", ".", StringComparison.Ordinal);
                if (!copies.TryAdd(plain, tensor))
                    throw Bad(path, tensor, $"and {Quoted.Of(copies[plain].Name)} both stand for {Quoted.Of(plain)}");
                continue;
            }
            string module = string.Join('.', name[..at]), part = name[at] + Tail(path, tensor, name[(at + 1)..]);
            if (part == "trainable_tokens_delta")
            {
                if (module.EndsWith(TokenAdapter, StringComparison.Ordinal)) module = module[..^TokenAdapter.Length];
                if (!tokens.TryAdd(module, tensor))
                    throw Bad(path, tensor, "stands for the same rows as another tensor");
                continue;
            }
            if (!factors.TryGetValue(module, out var parts)) factors.Add(module, parts = []);
            if (!parts.TryAdd(part, tensor))
                throw Bad(path, tensor, $"and {Quoted.Of(parts[part].Name)} are the same factor of two adapters; a file holds one");
        }
        return new AdapterTensors([.. factors.Select(entry => Module(path, config, entry.Key, entry.Value, factors.Keys))], copies, tokens);
    }

    /// <summary>
    /// What follows lora_A and the like: nothing or <c>weight</c>, <c>bias</c>, each after the adapter's name in files of some trainers.
    /// </summary>
    static string Tail(string path, StoredTensor tensor, string[] tail) => tail switch
    {
        [] or ["weight"] or [_, "weight"] => "",
        ["bias"] or [_, "bias"] => ".bias",
        [_] when !tensor.Name.Contains("lora_A", StringComparison.Ordinal) && !tensor.Name.Contains("lora_B", StringComparison.Ordinal)
            => "",
        _ => throw Bad(path, tensor, "belongs to nothing that Recall knows of LoRA"),
    };

    static LoraModule Module(string path, LoraConfig config, string key, Dictionary<string, StoredTensor> parts, ICollection<string> keys)
    {
        bool embedding = parts.ContainsKey("lora_embedding_A") || parts.ContainsKey("lora_embedding_B");
        string nameA = embedding ? "lora_embedding_A" : "lora_A", nameB = embedding ? "lora_embedding_B" : "lora_B";
        var a = parts.GetValueOrDefault(nameA) ?? throw Missing(nameA);
        var b = parts.GetValueOrDefault(nameB) ?? throw Missing(nameB);
        var magnitude = parts.GetValueOrDefault("lora_magnitude_vector");
        var bias = parts.GetValueOrDefault("lora_B.bias");
        if (parts.Values.FirstOrDefault(part => part != a && part != b && part != magnitude && part != bias) is { } odd)
            throw Bad(path, odd, "does not go with the module's other factors");
        foreach (var factor in new[] { a, b })
            if (factor.Shape.Rank != 2) throw Bad(path, factor, $"has shape {factor.Shape}; a factor has two dimensions");
        if (a.Shape[0] != b.Shape[1])
            throw Bad(path, a, $"has rank {a.Shape[0]} (shape {a.Shape}), but {Quoted.Of(b.Name)} has rank {b.Shape[1]} (shape {b.Shape})");
        if (a.Shape.Elements == 0 || b.Shape.Elements == 0)
            throw Bad(path, a, $"and its partner have shapes {a.Shape} and {b.Shape}: they are empty");
        if (Math.Max(a.Length, b.Length) > Array.MaxLength || Math.Max(a.Shape.Elements, b.Shape.Elements) > Array.MaxLength)
            throw Bad(path, a, "or its partner has more than 2 GiB, too much for a factor");

        string name = WithoutBaseLayers(key, out int depth);
        if (magnitude is null && config.UseDora)
            throw new RecallException($"{path}: module {Quoted.Of(name)} has no lora_magnitude_vector, but {config.Path} says use_dora");
        if (magnitude is not null && !config.UseDora) throw Bad(path, magnitude, $"is for DoRA, but {config.Path} says use_dora false");
        if (bias is not null && !config.LoraBias) throw Bad(path, bias, $"stands there although {config.Path} says lora_bias false");

        string parameter = ParameterOf(path, config, name, depth, keys);
        string named = parameter == "weight" ? name : $"{name}.{parameter}";
        var module = new LoraModule(name, a, b, config.RankOf(named), config.ScaleOf(named))
        {
            IsEmbedding = embedding,
            Magnitude = magnitude,
            Bias = bias,
            Parameter = parameter,
        };
        if (parameter == "weight" && a.Shape[0] != module.Rank)
            throw Bad(path, a, $"has rank {a.Shape[0]}, but {config.Path} says {module.Rank} for this module: the scale would be a guess");
        return module;

        RecallException Missing(string part) => new($"{path}: module {Quoted.Of(WithoutBaseLayers(key, out _))} has no {part}: the "
            + "adapter is incomplete");
    }

    /// <summary>
    /// Two parameters of one module nest: the factors of the one that the module declares first lie below base_layer, those of the last
    /// outside.
    /// </summary>
    static string ParameterOf(string path, LoraConfig config, string module, int depth, ICollection<string> keys)
    {
        var parameters = config.TargetParametersOf(module);
        if (parameters.Count == 0 || parameters is ["weight"])
        {
            if (depth > 0)
                throw new RecallException($"{path}: module {Quoted.Of(module)} has factors below base_layer, but {config.Path} names no "
                    + "target_parameters of it");
            if (parameters.Count == 0 && !config.Targets(module) && !(config.EnsureWeightTying && LoraConfig.IsEndOf("lm_head", module)))
                throw new RecallException($"{path}: module {Quoted.Of(module)} has factors, but {config.Path} does not name it in "
                    + "target_modules; PEFT would ignore them");
            return "weight";
        }
        var known = Experts.Declared.Where(parameters.Contains).ToList();
        if (known.Count != parameters.Count)
            throw new RecallException($"{config.Path}: target_parameters "
                + $"{Quoted.Of(parameters.First(parameter => !known.Contains(parameter)))} is not one that Recall knows: "
                + string.Join(", ", Experts.Declared));
        int levels = keys.Count(key => WithoutBaseLayers(key, out _) == module);
        if (levels != known.Count)
            throw new RecallException($"{path}: module {Quoted.Of(module)} has {levels} pairs of factors for {known.Count} "
                + "target_parameters");
        return depth < known.Count ? known[known.Count - 1 - depth] : throw new RecallException($"{path}: module {Quoted.Of(module)} "
            + "nests too deep");
    }

    static string WithoutBaseLayers(string key, out int depth)
    {
        for (depth = 0; key.EndsWith(BaseLayer, StringComparison.Ordinal); depth++) key = key[..^BaseLayer.Length];
        return key;
    }

    static RecallException Bad(string path, StoredTensor tensor, string what) => new($"{path}: tensor {Quoted.Of(tensor.Name)} {what}");
}
