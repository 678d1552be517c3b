using System.Collections.Immutable;
using Recall.Checkpoints.Architectures;

namespace Recall.Representations;

/// <summary>From config.json, in the key style of transformers 4 or 5, to <see cref="BlockOptions"/>.</summary>
static class BlockOptionsReader
{
    const int MostLayers = 10_000, MostValues = 1 << 24;

    public static BlockOptions Read(ModelConfig config)
    {
        var family = Family(config);
        var traits = family.Block!;
        if (config.Has("quantization_config"))
            throw config.Error("quantization_config",
                "says that the weights are quantised; Recall computes with plain ones: name the model they were made from");
        int hidden = config.Integer("hidden_size", 1, MostValues), heads = config.Integer("num_attention_heads", 1, MostValues);
        int keyValueHeads = config.Integer("num_key_value_heads", 1, MostValues, heads);
        if (heads % keyValueHeads != 0)
            throw config.Error("num_key_value_heads", $"is {keyValueHeads}, which does not divide the {heads} attention heads");
        int headDim = HeadDim(config, traits, hidden, heads);
        if ((long)heads * headDim > MostValues) throw config.Error("head_dim", $"of {headDim} with {heads} heads makes no model");
        int maxPositions = config.Integer("max_position_embeddings", 1, int.MaxValue, traits.DefaultMaxPositions);
        bool attentionBias = traits.AttentionBias == AttentionBias.ByConfig && config.Flag("attention_bias");
        return new BlockOptions
        {
            HiddenSize = hidden,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadDim = headDim,
            IntermediateSize = config.Integer("intermediate_size", 1, MostValues),
            VocabularySize = config.Integer("vocab_size", 1, MostValues),
            MaxPositions = maxPositions,
            NormEpsilon = config.Number("rms_norm_eps", 0, 1e-6),
            Activation = ReadActivation(config),
            Rope = RopeOptions.Read(config, maxPositions),
            QueryKeyValueBias = attentionBias || traits.AttentionBias == AttentionBias.QueryKeyValue,
            OutputBias = attentionBias,
            MlpBias = traits.MlpBiasByConfig && config.Flag("mlp_bias"),
            QueryKeyNorm = traits.QueryKeyNorm,
            Windows = Windows(config, traits, config.Integer(family.LayerCountKey ?? "num_hidden_layers", 1, MostLayers)),
            TiedEmbeddings = config.Flag("tie_word_embeddings"),
            Names = family,
        };
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

    static int HeadDim(ModelConfig config, BlockTraits traits, int hidden, int heads)
    {
        int? @default = config.Has("head_dim") ? null : traits.DefaultHeadDim;
        if (@default is null && !config.Has("head_dim"))
        {
            if (hidden % heads != 0)
                throw config.Error("hidden_size", $"is {hidden}, which {heads} attention heads do not divide, and there is no head_dim");
            @default = hidden / heads;
        }
        int headDim = config.Integer("head_dim", 2, MostValues, @default);
        return headDim % 2 == 0
            ? headDim
            : throw config.Error("head_dim", $"is {headDim}; rotary positions turn pairs of values, so it must be even");
    }

    static Activation ReadActivation(ModelConfig config) => (config.Text("hidden_act") ?? "silu") switch
    {
        "silu" or "swish" => Activation.Silu,
        "gelu" => Activation.Gelu,
        "gelu_new" or "gelu_pytorch_tanh" => Activation.GeluTanh,
        "relu" => Activation.Relu,
        var other => throw config.Error("hidden_act", $"is {Quoted.Of(other)}; Recall computes silu, gelu, gelu_pytorch_tanh and relu"),
    };

    static ImmutableArray<int?> Windows(ModelConfig config, BlockTraits traits, int layers)
    {
        int? window = traits.Window switch
        {
            WindowRule.Never => null,
            WindowRule.FromLayer when !config.Flag("use_sliding_window") => null,
            // A null in the file means none; the default holds where the key is absent.
            _ when config.Has("sliding_window") => config.Integer("sliding_window", 1, int.MaxValue),
            _ when config.Values.ContainsKey("sliding_window") => null,
            _ => traits.DefaultWindow,
        };
        if (window is null) return [.. Enumerable.Repeat<int?>(null, layers)];
        if (traits.Window is WindowRule.ByLayerType or WindowRule.FromLayer && config.Texts("layer_types") is { } types)
        {
            if (types.Length != layers) throw config.Error("layer_types", $"has {types.Length} entries for {layers} layers");
            return
            [
                .. types.Select(type => type switch
                {
                    "sliding_attention" => window,
                    "full_attention" => null,
                    _ => throw config.Error("layer_types",
                        $"holds {Quoted.Of(type)}; Recall computes full_attention and sliding_attention"),
                }),
            ];
        }
        int first = traits.Window == WindowRule.FromLayer ? config.Integer("max_window_layers", 0, int.MaxValue, 28) : 0;
        return [.. Enumerable.Range(0, layers).Select(layer => layer >= first ? window : null)];
    }
}
