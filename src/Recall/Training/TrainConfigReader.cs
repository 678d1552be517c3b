using System.Collections.Immutable;
using Recall.Alignment;
using Recall.Configuration;
using Recall.Configuration.Yaml;
using Recall.Numerics;

namespace Recall.Training;

/// <summary>From the YAML tree of a training file to <see cref="TrainConfig"/>.</summary>
static class TrainConfigReader
{
    static readonly DType[] Types = [DType.F32, DType.BF16, DType.F16];

    public static TrainConfig Read(YamlMapping document, string file)
    {
        var section = new YamlSection(document, file);
        var model = section.Take("model") is { } node ? ModelReference.Read(node, section.At(node, "model"))
            : throw section.Place.Error("key 'model' is missing: the model to tune");
        bool full = section.TakeBoolean("full") ?? false;
        var lora = section.TakeSection("lora") is { } update ? ReadLora(update) : null;
        if (full && lora is not null) throw section.At(section.Take("full")!, "full").Error("either 'full' or 'lora', not both");
        if (!full && model.Lora is not null)
            throw section.At(section.Take("model")!, "model").Error(
                "a new adapter on top of an adapter would need both to be used; merge the two first, or train with 'full: true'");
        if (section.Take("steps") is { } steps && section.Take("epochs") is not null)
            throw section.At(steps, "steps").Error("either 'steps' or 'epochs', not both");
        var config = new TrainConfig
        {
            File = file,
            Model = model,
            Data = ReadTexts(section, "data"),
            Prompt = section.TakeText("prompt"),
            Answer = section.TakeText("answer"),
            Output = section.TakeText("output") ?? throw section.Place.Error("key 'output' is missing: the folder to write"),
            Lora = full ? null : lora ?? new LoraOptions(),
            Epochs = section.TakeInteger("epochs", 1, 100_000) ?? 1,
            Steps = section.TakeInteger("steps", 1, 100_000_000),
            BatchSize = section.TakeInteger("batch_size", 1, 100_000) ?? 8,
            Accumulate = section.TakeInteger("accumulate", 1, 100_000) ?? 1,
            LearningRate = section.TakeNumber("learning_rate", 0, 1000) ?? (full ? 2e-5 : 2e-4),
            Warmup = ReadWarmup(section),
            Schedule = section.TakeWord("schedule", "cosine", "linear", "constant") switch
            {
                "linear" => Schedule.Linear,
                "constant" => Schedule.Constant,
                _ => Schedule.Cosine,
            },
            WeightDecay = section.TakeNumber("weight_decay", 0, 1000) ?? 0,
            DecayNorms = section.TakeBoolean("decay_norms") ?? false,
            Clip = section.TakeNumber("clip", 0, 1e30) switch { null => 1, 0 => null, var clip => clip },
            Seed = section.TakeInteger("seed", 0, int.MaxValue) ?? 0,
            MaxTokens = section.TakeInteger("max_tokens", 2, 1_000_000) ?? 1024,
            Card = ReadCard(section),
            DType = ReadType(section),
        };
        section.Finish();
        return config;
    }

    static LoraOptions ReadLora(YamlSection section)
    {
        var defaults = new LoraOptions();
        int rank = section.TakeInteger("r", 1, 100_000) ?? defaults.Rank;
        double alpha = section.TakeNumber("alpha", 0, 1e9) ?? 2 * rank;
        if (alpha == 0) throw section.At(section.Take("alpha")!, "alpha").Error("must be above 0: with 0 nothing is learnt");
        if (section.TakeNumber("dropout") is { } dropout && dropout != 0)
            throw section.At(section.Take("dropout")!, "dropout").Error($"must be 0, not {dropout:R}: Recall trains without dropout");
        var lora = new LoraOptions
        {
            Rank = rank,
            Alpha = alpha,
            RsLora = section.TakeBoolean("rslora") ?? false,
            TargetModules = ReadModules(section),
        };
        section.Finish();
        return lora;
    }

    static ImmutableArray<string> ReadModules(YamlSection section)
    {
        if (section.Take("target_modules") is not { } node || node is YamlScalar { Text: "all-linear" }) return LoraOptions.AllModules;
        var modules = ReadTexts(section, "target_modules");
        foreach (string module in modules)
        {
            if (LoraOptions.AllModules.Contains(module)) continue;
            string hint = Quoted.Nearest(module, LoraOptions.AllModules) is { } near ? $"; did you mean '{near}'?" : "";
            throw section.At(node, "target_modules").Error(
                $"{Quoted.Of(module)} is no linear layer of a block; "
                + $"known: {string.Join(", ", LoraOptions.AllModules)}, or the word all-linear{hint}");
        }
        return [.. LoraOptions.AllModules.Where(modules.Contains)];
    }

    static ImmutableArray<string> ReadTexts(YamlSection section, string key)
    {
        if (section.Take(key) is not { } node) return [];
        if (node is YamlScalar scalar) return [scalar.Text];
        var items = section.TakeList(key);
        if (items.Length == 0) throw section.At(node, key).Error("must not be empty");
        return [.. items.Select(item => item.Node is YamlScalar text ? text.Text : throw item.Place.Error("a text is expected here"))];
    }

    static double ReadWarmup(YamlSection section)
    {
        double warmup = section.TakeNumber("warmup", 0, 100_000_000) ?? 0.03;
        return warmup < 1 || warmup == Math.Floor(warmup) ? warmup
            : throw section.At(section.Take("warmup")!, "warmup").Error(
                $"a number of steps, or a share of them below 1, is expected here, not {warmup:R}");
    }

    static int? ReadCard(YamlSection section) => section.Take("card") switch
    {
        YamlScalar { Text: "full" } => null,
        YamlScalar { Text: "none" } => 0,
        _ => section.TakeInteger("card", 0, 1_000_000) ?? AlignmentOptions.DefaultCardRank,
    };

    static DType? ReadType(YamlSection section)
    {
        if (section.TakeText("dtype") is not { } name) return null;
        if (DTypes.FromTorchName(name) is { } type && Types.Contains(type)) return type;
        throw section.At(section.Take("dtype")!, "dtype").Error(
            $"unknown type {Quoted.Of(name)}; known: {string.Join(", ", Types.Select(DTypes.TorchName))}");
    }
}
