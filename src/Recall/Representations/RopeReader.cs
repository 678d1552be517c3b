using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints.Architectures;

namespace Recall.Representations;

/// <summary>Rotary positions from config.json.</summary>
static class RopeReader
{
    /// <summary>Those of the layers that see all tokens, and those of the layers that have a window.</summary>
    public static (RopeOptions All, RopeOptions Windowed) Read(ModelConfig config, BlockTraits traits, int headDim, int maxPositions)
    {
        var rope = config.Section("rope_parameters") ?? config.Section("rope_scaling") ?? new ModelConfig([], config.Where);
        int dim = Dim(config, rope, traits, headDim);
        var common = new RopeOptions { Dim = dim, Interleaved = traits.InterleavedRotation };
        if (rope.Values.FirstOrDefault(entry => entry.Value is JsonObject).Key is { } nested)
        {
            if (traits.Window != WindowRule.ByPattern)
                throw rope.Error(nested, "sets rotary positions for one kind of layers; Recall computes models of this family that have the same in all");
            return (Of("full_attention"), Of("sliding_attention"));
        }
        var all = Read(config, rope, traits.RopeKeys.Theta, traits, common, maxPositions);
        if (traits.WindowThetaKey is not { } key) return (all, all);
        double local = key == traits.RopeKeys.Theta ? all.Theta : config.Number(key, 1, 10000);
        return (all, common with { Theta = local, OriginalMaxPositions = maxPositions });

        RopeOptions Of(string kind) => Read(config, rope.Section(kind) ?? throw rope.Error(kind, "is missing"), traits.RopeKeys.Theta,
            traits, common, maxPositions);
    }

    static int Dim(ModelConfig config, ModelConfig rope, BlockTraits traits, int headDim)
    {
        if (traits.RotaryDimKey is { } key)
        {
            int values = config.Integer(key, 2, headDim, Math.Min(64, headDim));
            return values % 2 == 0 ? values : throw config.Error(key, $"is {values}; values turn in pairs, so that must be even");
        }
        double part = PartOf(config, rope, traits);
        int dim = (int)(headDim * part);
        return dim >= 2 && dim % 2 == 0 ? dim : throw config.Error(traits.RopeKeys.Part,
            $"of {part:R} turns {dim} values of a head of {headDim}; they turn in pairs, so that must be even");
    }

    static double PartOf(ModelConfig config, ModelConfig rope, BlockTraits traits)
    {
        string key = traits.RopeKeys.Part;
        double part = rope.Number("partial_rotary_factor", 0, config.Number(key, 0, traits.RotaryPart ?? 1));
        return part == 1 || (part < 1 && traits.RotaryPart is not null) ? part
            : throw (rope.Has(key) ? rope : config).Error(key, $"is {part:R}, not 1; {(traits.RotaryPart is null ? "in this family" : "no more than")} whole heads turn");
    }

    static RopeOptions Read(
        ModelConfig config, ModelConfig rope, string thetaKey, BlockTraits traits, RopeOptions common, int maxPositions)
    {
        string name = rope.Text("rope_type") ?? rope.Text("type") ?? "default";
        var kind = name switch
        {
            "default" => RopeKind.Default,
            "linear" => RopeKind.Linear,
            "dynamic" => RopeKind.Dynamic,
            "llama3" => RopeKind.Llama3,
            "yarn" => RopeKind.Yarn,
            "longrope" or "su" => RopeKind.LongRope,
            _ => throw rope.Error("rope_type", $"is {Quoted.Of(name)}; Recall computes default, linear, dynamic, llama3, yarn and longrope"),
        };
        double theta = rope.Has("rope_theta") ? rope.Number("rope_theta", 1) : config.Number(thetaKey, 1, traits.DefaultTheta);
        var options = common with { Theta = theta, Kind = kind, OriginalMaxPositions = maxPositions };
        return kind switch
        {
            RopeKind.Default => options,
            RopeKind.LongRope => ReadLong(config, rope, options, maxPositions),
            _ => ReadScaled(rope, options, maxPositions),
        };
    }

    static RopeOptions ReadScaled(ModelConfig rope, RopeOptions options, int maxPositions)
    {
        options = options with
        {
            // The frequencies of 'dynamic' depend on the length beyond max_position_embeddings, also where an original length is given.
            OriginalMaxPositions = options.Kind == RopeKind.Dynamic
                ? maxPositions
                : rope.Integer("original_max_position_embeddings", 1, int.MaxValue, maxPositions),
        };
        var (kind, ramped) = (options.Kind, options.Kind == RopeKind.Llama3);
        options = options with
        {
            Factor = rope.Number("factor", 0, kind == RopeKind.Yarn ? (double)maxPositions / options.OriginalMaxPositions : null),
            LowFrequencyFactor = rope.Number("low_freq_factor", 0, ramped ? null : 1),
            HighFrequencyFactor = rope.Number("high_freq_factor", 0, ramped ? null : 4),
            BetaFast = rope.Number("beta_fast", 0, 32),
            BetaSlow = rope.Number("beta_slow", 0, 1),
            Truncate = rope.Flag("truncate", true),
            QueryScalingBeta = rope.Number("llama_4_scaling_beta", double.NegativeInfinity, 0),
        };
        if (options.HighFrequencyFactor <= options.LowFrequencyFactor) throw rope.Error("high_freq_factor", "must be above low_freq_factor");
        return kind == RopeKind.Yarn ? options with { AttentionFactor = YarnFactor(rope, options.Factor) } : options;
    }

    static RopeOptions ReadLong(ModelConfig config, ModelConfig rope, RopeOptions options, int maxPositions)
    {
        const string originalKey = "original_max_position_embeddings";
        int original = rope.Has(originalKey) ? rope.Integer(originalKey, 1, int.MaxValue)
            : config.Integer(originalKey, 1, int.MaxValue, maxPositions);
        double factor = config.Has(originalKey) || rope.Has(originalKey) ? (double)maxPositions / original : rope.Number("factor", 0, 1);
        return options with
        {
            OriginalMaxPositions = original,
            ShortFactors = Factors("short_factor"),
            LongFactors = Factors("long_factor"),
            AttentionFactor = rope.Number("attention_factor", 0, factor <= 1 ? 1 : Math.Sqrt(1 + Math.Log(factor) / Math.Log(original))),
        };

        ImmutableArray<double> Factors(string key)
        {
            if (rope.Values[key] is not JsonArray list || list.Count != options.Dim / 2)
                throw rope.Error(key, $"must be a list of {options.Dim / 2} numbers, one for each pair of values that turn");
            return [.. list.Select((item, i) => new ModelConfig(new JsonObject { ["number"] = item?.DeepClone() }, $"{rope.Where}{key}[{i}] ").Number("number", 0))];
        }
    }

    static double YarnFactor(ModelConfig rope, double factor)
    {
        if (rope.Has("attention_factor")) return rope.Number("attention_factor", 0);
        double mscale = rope.Number("mscale", double.NegativeInfinity, 0), all = rope.Number("mscale_all_dim", double.NegativeInfinity, 0);
        return mscale != 0 && all != 0 ? Mscale(mscale) / Mscale(all) : Mscale(1);

        double Mscale(double scale) => factor <= 1 ? 1 : 0.1 * scale * Math.Log(factor) + 1;
    }
}
