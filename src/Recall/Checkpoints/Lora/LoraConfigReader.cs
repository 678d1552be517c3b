using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// Reads adapter_config.json. A key that could change the result and that Recall does not honour is refused by its name, unless it is off;
/// so is a key that nobody knows.
/// </summary>
sealed class LoraConfigReader(string path, JsonObject json)
{
    /// <summary>Keys that bear on training, or on what PEFT does around it, never on the merged weights.</summary>
    static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "auto_mapping", "inference_mode", "lora_dropout", "module_dropout", "peft_version", "revision", "task_type", "megatron_core",
        "qalora_group_size", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "runtime_config", "init_weights",
        "exclude_modules", "layers_to_transform", "layers_pattern", "bias", "lora_dtype", "lorap_lr_ratio", "lorap_emb_lr",
        "lorap_emb_lr_ratio", "merge_weights",
    };

    static readonly HashSet<string> Honoured = new(StringComparer.Ordinal)
    {
        "peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "lora_bias", "fan_in_fan_out",
        "ensure_weight_tying", "base_model_name_or_path", "target_modules", "target_parameters", "modules_to_save", "layer_replication",
        "trainable_token_indices", "token_indices", "init_lora_weights",
    };

    /// <summary>Kinds of LoRA that Recall does not apply, and what turns each on.</summary>
    static readonly Dictionary<string, string> Unsupported = new(StringComparer.Ordinal)
    {
        ["alora_invocation_tokens"] = "an activated LoRA acts only after certain tokens and cannot be merged",
        ["use_qalora"] = "QA-LoRA pools the inputs",
        ["arrow_config"] = "Arrow chooses among adapters token by token and cannot be merged",
        ["use_bdlora"] = "its factors are block-diagonal",
        ["kasa_config"] = "KaSA changes the base",
        ["monteclora_config"] = "MonteCLoRA draws its factors at random",
        ["velora_config"] = "VeLoRA is not a plain sum",
        ["megatron_config"] = "layers of Megatron are not those of transformers",
        ["enable_lora"] = "merged projections with some parts left out are not supported",
    };

    /// <summary>
    /// Ways to begin that leave the base as it is. The others (pissa, olora, corda, loftq, …) train against a changed base.
    /// </summary>
    static readonly string[] Starts = ["gaussian", "eva", "orthogonal"];

    /// <summary>Reads and checks the file.</summary>
    /// <exception cref="RecallException">Missing, broken, or asks for what Recall cannot do; the message names the key.</exception>
    public static LoraConfig Read(string path)
    {
        try
        {
            return new LoraConfigReader(path, Checkpoint.ReadConfig(path)).Read();
        }
        catch (ArgumentException e)     // JsonObject finds a key that stands twice when it is first looked into
        {
            throw new RecallException($"{path}: a key stands twice: {e.Message}", e);
        }
    }

    LoraConfig Read()
    {
        string type = Text("peft_type") ?? throw Bad("peft_type", "is missing: 'LORA' is expected");
        if (type is not ("LORA" or "TRAINABLE_TOKENS"))
            throw Bad("peft_type", $"{Quoted.Of(type)} is not supported: Recall applies LORA (with rsLoRA and DoRA) and TRAINABLE_TOKENS");
        RefuseUnknown();
        RefuseChangedBase();
        var (targets, pattern) = Targets();
        return new LoraConfig
        {
            Path = path,
            Rank = json.ContainsKey("r") ? Rank("r", json["r"]) : 8,
            Alpha = json.ContainsKey("lora_alpha") ? Number("lora_alpha", json["lora_alpha"]) : 8,
            UseRslora = Flag("use_rslora"),
            UseDora = Flag("use_dora"),
            LoraBias = Flag("lora_bias"),
            FanInFanOut = Flag("fan_in_fan_out"),
            EnsureWeightTying = Flag("ensure_weight_tying"),
            BaseModel = Text("base_model_name_or_path"),
            TargetModules = targets,
            TargetPattern = pattern,
            TargetParameters = Strings("target_parameters") ?? [],
            ModulesToSave = Strings("modules_to_save") ?? [],
            LayerReplication = Replication(),
            NamesSomeLayers = !IsOff(json["layers_to_transform"]) || !IsOff(json["exclude_modules"]),
            TokenIndices = Tokens(type == "LORA" ? "trainable_token_indices" : "token_indices"),
            RankPattern = Pattern("rank_pattern", Rank),
            AlphaPattern = Pattern("alpha_pattern", Number),
        };
    }

    void RefuseUnknown()
    {
        foreach (var (key, value) in json)
        {
            if (Honoured.Contains(key) || Harmless.Contains(key) || IsOff(value)) continue;
            if (Unsupported.TryGetValue(key, out string? reason)) throw Bad(key, $"is set: {reason}");
            throw new RecallException($"{path}: key {Quoted.Of(key)} may change what the adapter does, and Recall does not know how to "
                + "apply it; if it has no bearing on the weights, remove it");
        }
    }

    void RefuseChangedBase()
    {
        if (json["init_lora_weights"] is not { } start || start.GetValueKind() is JsonValueKind.True or JsonValueKind.False) return;
        string name = Text("init_lora_weights") ?? throw Bad("init_lora_weights", "must be true, false or a name");
        if (Starts.Contains(name)) return;
        throw Bad("init_lora_weights", $"{Quoted.Of(name)}: such an adapter fits only the base that its initialisation changed, not the "
            + "original one; save it with path_initial_model_for_weight_conversion, which makes a plain LoRA of it");
    }

    (IReadOnlyList<string>?, ModulePattern?) Targets()
    {
        if (Text("target_modules") is not { } text) return (Strings("target_modules"), null);
        return text == "all-linear" ? (null, null) : (null, ModulePattern.Whole(text, $"{path}: target_modules"));
    }

    List<(ModulePattern, T)> Pattern<T>(string key, Func<string, JsonNode?, T> read)
    {
        if (json[key] is null) return [];
        if (json[key] is not JsonObject patterns) throw Bad(key, "must be an object: pattern to number");
        return [.. patterns.Select(entry => (ModulePattern.AtEnd(entry.Key, $"{path}: {key}"), read($"{key}.{entry.Key}", entry.Value)))];
    }

    List<(int, int)>? Replication()
    {
        if (json["layer_replication"] is null) return null;
        if (json["layer_replication"] is not JsonArray { Count: > 0 and <= 10_000 } ranges)
            throw Bad("layer_replication", "must be a list of pairs [from, to]");
        return [.. ranges.Select(range => range is JsonArray { Count: 2 } pair && Integer(pair[0]) is >= 0 and <= int.MaxValue and var from
            && Integer(pair[1]) is <= int.MaxValue and var to && from < to ? ((int)from, (int)to)
            : throw Bad("layer_replication", "must be a list of pairs [from, to], from less than to"))];
    }

    Dictionary<string, IReadOnlyList<long>> Tokens(string key)
    {
        var tokens = new Dictionary<string, IReadOnlyList<long>>(StringComparer.Ordinal);
        if (json[key] is JsonObject byModule)
            foreach (var (module, indices) in byModule) tokens.Add(module, Indices(key, indices));
        else if (json[key] is { } indices) tokens.Add("", Indices(key, indices));
        return tokens;
    }

    List<long> Indices(string key, JsonNode? node)
    {
        var indices = node is JsonArray list ? list.Select(Integer).ToList() : throw Bad(key, "must be a list of token ids");
        if (indices.Any(index => index is null or < 0)) throw Bad(key, "must hold token ids, integers from 0 on");
        if (indices.Distinct().Count() != indices.Count) throw Bad(key, "names a token twice");
        return [.. indices.Select(index => index!.Value)];
    }

    List<string>? Strings(string key)
    {
        switch (json[key])
        {
            case null: return null;
            case JsonValue value when value.GetValueKind() == JsonValueKind.String: return [(string)value!];
            case JsonArray list when list.All(item => item?.GetValueKind() == JsonValueKind.String):
                return [.. list.Select(item => (string)item!)];
            default: throw Bad(key, "must be a list of names");
        }
    }

    bool Flag(string key) => json[key] is null ? false : json[key]!.GetValueKind() switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Bad(key, "must be true or false"),
    };

    int Rank(string key, JsonNode? node) => Integer(node) switch
    {
        null => throw Bad(key, "must be an integer"),
        < 1 => throw Bad(key, $"is {Integer(node)}: a rank is at least 1"),
        > int.MaxValue => throw Bad(key, $"is {Integer(node)}: larger than any rank"),
        var rank => (int)rank,
    };

    double Number(string key, JsonNode? node) =>
        node?.GetValueKind() == JsonValueKind.Number && node.AsValue().TryGetValue(out double number) && double.IsFinite(number) ? number
            : throw Bad(key, "must be a finite number");

    string? Text(string key) => json[key] is { } node && node.GetValueKind() == JsonValueKind.String ? (string)node! : null;

    static long? Integer(JsonNode? node) =>
        node?.GetValueKind() == JsonValueKind.Number && node.AsValue().TryGetValue(out long integer) ? integer : null;

    static bool IsOff(JsonNode? node) => node switch
    {
        null => true,
        JsonObject map => map.Count == 0,
        JsonArray list => list.Count == 0,
        _ => node.GetValueKind() == JsonValueKind.False,
    };

    RecallException Bad(string key, string what) => new($"{path}: {Quoted.Of(key)[1..^1]} {what}");
}
