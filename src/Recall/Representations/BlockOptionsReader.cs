using System.Collections.Immutable;
using Recall.Checkpoints.Architectures;

namespace Recall.Representations;

/// <summary>From config.json, in the key style of transformers 4 or 5, to <see cref="BlockOptions"/>.</summary>
static class BlockOptionsReader
{
    const int MostLayers = 10_000, MostValues = 1 << 24;

    /// <summary>Reads.</summary>
    /// <param name="config">The config.</param>
    /// <param name="has">Whether the checkpoint has a tensor.</param>
    /// <param name="tensors">The names of all its tensors; none: as published.</param>
    public static BlockOptions Read(ModelConfig config, Func<string, bool> has, IReadOnlyCollection<string> tensors)
    {
        var family = Family(config).In(tensors);
        var traits = family.Block!;
        Refuse(config, traits);
        int hidden = config.Integer(traits.Sizes.Hidden, 1, MostValues), heads = config.Integer(traits.Sizes.Heads, 1, MostValues);
        int keyValueHeads = KeyValueHeads(config, heads);
        int headDim = HeadDim(config, traits, hidden, heads, family.Positions.Length > 0);
        if ((long)heads * headDim > MostValues) throw config.Error("head_dim", $"of {headDim} with {heads} heads makes no model");
        int layers = config.Integer(family.LayerCountKey ?? "num_hidden_layers", 1, MostLayers);
        int maxPositions = config.Integer(traits.Sizes.Positions, 1, int.MaxValue, traits.DefaultMaxPositions);
        bool multipliers = traits.Multipliers;
        double logitScale = traits.DefaultLogitScale is { } scale ? config.Number("logit_scale", double.NegativeInfinity, scale) : 1;
        return new BlockOptions
        {
            HiddenSize = hidden,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadDim = headDim,
            IntermediateSize = config.Integer(traits.Sizes.Intermediate, 1, MostValues,
                traits.Sizes.DefaultIntermediate > 0 ? traits.Sizes.DefaultIntermediate * hidden : null),
            VocabularySize = config.Integer("vocab_size", 1, MostValues),
            MaxPositions = maxPositions,
            Norm = new NormOptions(traits.NormEpsilonKey.Length == 0 ? traits.DefaultNormEpsilon
                : config.Number(traits.NormEpsilonKey, 0, traits.DefaultNormEpsilon))
            {
                Centered = traits.LayerNorm, PlusOne = traits.NormPlusOne, Bias = traits.NormBias, Bare = !traits.NormWeight,
            },
            Activation = ReadActivation(config, traits),
            QueryKeyValueBias = Bias(config, traits.QueryKeyValueBias),
            OutputBias = Bias(config, traits.OutputBias),
            MlpBias = Bias(config, traits.MlpBias),
            Parallel = traits.ParallelKey is { } key ? config.Flag(key, traits.Parallel) : traits.Parallel,
            AttentionScale = traits.DefaultQueryScalar is { } scalar ? 1 / Math.Sqrt(config.Number("query_pre_attn_scalar", 0, scalar))
                : multipliers ? config.Number("attention_multiplier", 0, 1)
                : config.Flag("scale_attn_weights", true) ? null : 1,
            AttentionCap = Cap("attn_logit_softcapping", traits.DefaultCaps.Attention),
            ClipQueryKeyValue = traits.Clipped && config.Has("clip_qkv") ? config.Number("clip_qkv", 0) : 0,
            EmbeddingScale = multipliers ? config.Number("embedding_multiplier", 0, 1) : traits.RootEmbeddingScale ? Math.Sqrt(hidden) : 1,
            ResidualScale = multipliers ? config.Number("residual_multiplier", 0, 1) : 1,
            LogitScale = multipliers ? 1 / config.Number("logits_scaling", 0, 1) : logitScale,
            LogitCap = Cap("final_logit_softcapping", traits.DefaultCaps.Logits),
            Kinds = Kinds(config, family, layers, headDim, maxPositions, MixtureReader.Read(config, family, hidden, has)),
            TiedEmbeddings = config.Flag("tie_word_embeddings", traits.DefaultTied),
            Names = family,
        };

        // A null in the file means none; the default holds where the key is absent.
        double Cap(string name, double @default) => config.Has(name) ? config.Number(name, 0)
            : config.Values.ContainsKey(name) ? 0 : @default;
    }

    static bool Bias(ModelConfig config, BiasRule rule) => rule.Key is { } key ? config.Flag(key, rule.Default) : rule.Default;

    static void Refuse(ModelConfig config, BlockTraits traits)
    {
        if (config.Has("quantization_config"))
            throw config.Error("quantization_config",
                "says that the weights are quantised; Recall computes with plain ones: name the model they were made from");
        foreach (string flag in traits.Refused)
            if (config.Flag(flag)) throw config.Error(flag, "is true; Recall computes models of this family without it only");
        foreach (string flag in traits.Needed)
            if (!config.Flag(flag, true)) throw config.Error(flag, "is false; Recall computes models of this family with it only");
    }

    static Architecture Family(ModelConfig config)
    {
        string? modelType = config.Text("model_type");
        var known = ArchitectureTable.WithBlocks.ToList();
        // By the class name first: fine-tuned variants (a classifier, say) share their model_type with the language model.
        var family = ArchitectureTable.Find(config.Values) is { Block: not null } named ? named
            : config.Has("architectures") ? null
            : known.Find(entry => entry.ModelType == modelType);
        if (family is not null) return family;
        string names = string.Join(", ", known.Select(entry => entry.ModelType));
        string type = modelType is null ? "is missing" : $"is {Quoted.Of(modelType)}";
        string? kind = config.Values["architectures"] is System.Text.Json.Nodes.JsonArray list
            ? string.Join(", ", list.Select(item => item?.ToString()))
            : null;
        throw config.Error("model_type", $"{type}{(kind is null ? "" : $" (architectures: {Quoted.Of(kind)})")}: "
            + $"Recall has no forward pass for it; it has one for the language models of {names}");
    }

    static int KeyValueHeads(ModelConfig config, int heads)
    {
        int count = config.Integer("num_key_value_heads", 1, MostValues, config.Flag("multi_query") ? 1 : heads);
        return heads % count == 0 ? count
            : throw config.Error("num_key_value_heads", $"is {count}, which does not divide the {heads} attention heads");
    }

    static int HeadDim(ModelConfig config, BlockTraits traits, int hidden, int heads, bool positions)
    {
        int? @default = config.Has("head_dim") ? null : traits.DefaultHeadDim;
        if (@default is null && !config.Has("head_dim"))
        {
            if (hidden % heads != 0)
                throw config.Error(traits.Sizes.Hidden, $"is {hidden}, which {heads} attention heads do not divide, and there is no head_dim");
            @default = hidden / heads;
        }
        int headDim = config.Integer("head_dim", 2, MostValues, @default);
        return headDim % 2 == 0 || positions
            ? headDim
            : throw config.Error("head_dim", $"is {headDim}; rotary positions turn pairs of values, so it must be even");
    }

    static Activation ReadActivation(ModelConfig config, BlockTraits traits) =>
        (config.Text(traits.Activation.Key) ?? traits.Activation.Default) switch
        {
            "silu" or "swish" => Activation.Silu,
            "gelu" => Activation.Gelu,
            "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => Activation.GeluTanh,
            "relu" => Activation.Relu,
            "relu2" => Activation.ReluSquared,
            var other => throw config.Error(traits.Activation.Key,
                $"is {Quoted.Of(other)}; Recall computes silu, gelu, gelu_pytorch_tanh, relu and relu2"),
        };

    static ImmutableArray<LayerKind> Kinds(
        ModelConfig config, Architecture family, int layers, int headDim, int maxPositions, Func<int, MixtureOptions?> mixture)
    {
        var (traits, positions) = (family.Block!, family.Positions.Length > 0);
        var windows = WindowReader.Read(config, traits, layers);
        var (rope, local) = positions ? default : RopeReader.Read(config, traits, headDim, maxPositions);
        var unrotated = Unrotated(config, traits, windows);
        return [.. windows.Select((window, layer) =>
            new LayerKind(window, unrotated[layer] ? null : window is null ? rope : local, mixture(layer)))];
    }

    static bool[] Unrotated(ModelConfig config, BlockTraits traits, ImmutableArray<int?> windows)
    {
        switch (traits.Unrotated)
        {
            case UnrotatedRule.WithoutWindow when windows.Any(window => window is not null):
                return [.. windows.Select(window => window is null)];
            case UnrotatedRule.ByList:
                if (config.Values["no_rope_layers"] is System.Text.Json.Nodes.JsonArray list)
                {
                    if (list.Count != windows.Length) throw config.Error("no_rope_layers", $"has {list.Count} entries for {windows.Length} layers");
                    return [.. list.Select(entry => entry?.ToJsonString() is "0" or "false")];
                }
                int every = config.Integer("no_rope_layer_interval", 1, int.MaxValue, 4);
                return [.. Enumerable.Range(1, windows.Length).Select(layer => layer % every == 0)];
            default:
                return new bool[windows.Length];
        }
    }
}
