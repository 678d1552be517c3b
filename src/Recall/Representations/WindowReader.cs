using System.Collections.Immutable;
using Recall.Checkpoints.Architectures;

namespace Recall.Representations;

/// <summary>Which layers see how many tokens, from config.json.</summary>
static class WindowReader
{
    /// <summary>For each layer the tokens it sees, itself included; null: all before.</summary>
    public static ImmutableArray<int?> Read(ModelConfig config, BlockTraits traits, int layers)
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
        if (traits.Window is WindowRule.ByLayerType or WindowRule.FromLayer or WindowRule.ByPattern && config.Texts("layer_types") is { } types)
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
        if (traits.Window == WindowRule.ByPattern)
        {
            int every = Pattern(config, traits);
            return [.. Enumerable.Range(1, layers).Select(layer => layer % every == 0 ? null : window)];
        }
        int first = traits.Window == WindowRule.FromLayer ? config.Integer("max_window_layers", 0, int.MaxValue, 28) : 0;
        return [.. Enumerable.Range(0, layers).Select(layer => layer >= first ? window : null)];
    }

    static int Pattern(ModelConfig config, BlockTraits traits)
    {
        // EXAONE writes it as a text: LLLG.
        const string key = "sliding_window_pattern";
        if (config.Values[key]?.GetValueKind() != System.Text.Json.JsonValueKind.String)
            return config.Integer(key, 1, int.MaxValue, traits.DefaultWindowPattern);
        string text = config.Text(key)!;
        return text.Length > 0 && text[^1] == 'G' && text[..^1].All(letter => letter == 'L') ? text.Length
            : throw config.Error(key, $"is {Quoted.Of(text)}; Recall knows a number, or local layers before a global one: LLLG");
    }
}
