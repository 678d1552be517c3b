using System.Collections.Immutable;
using Recall.Configuration.Yaml;
using Recall.Numerics;

namespace Recall.Configuration;

/// <summary>From the YAML tree of a file of mergekit-moe to <see cref="MoeConfig"/>, checked.</summary>
static class MoeConfigReader
{
    const int MostExperts = 1024;

    static readonly ImmutableArray<(string Word, GateMode Mode)> Modes =
    [
        ("hidden", GateMode.Hidden), ("hidden_avg", GateMode.HiddenAvg), ("hidden_last", GateMode.HiddenLast),
        ("cheap_embed", GateMode.CheapEmbed), ("random", GateMode.Random), ("uniform_random", GateMode.UniformRandom),
    ];

    public static MoeConfig Read(YamlMapping document, string text, string file, bool allowEqualModels)
    {
        var notes = new List<string>();
        var section = new YamlSection(document, file);
        var baseNode = section.Take("base_model") ?? throw section.Missing("base_model", "it gives everything but the experts");
        var basePlace = section.At(baseNode, "base_model");
        string? mode = section.TakeWord("gate_mode", [.. Modes.Select(each => each.Word)]);
        var type = MergeConfigReader.ReadType(section, "dtype");
        if (type is { } chosen && !chosen.IsFloat())
            throw section.At(section.Take("dtype")!, "dtype").Error($"a model cannot be written in {chosen.TorchName()}");
        int perToken = section.TakeInteger("experts_per_token", 1, MostExperts) ?? 2;
        var experts = ReadExperts(section, "experts", notes);
        if (experts.Length == 0)
            throw section.Missing("experts", "the models whose MLPs become experts, each with source_model and positive_prompts");
        var config = new MoeConfig
        {
            File = file,
            Text = text,
            Place = section.Place,
            BaseModel = ModelReference.Read(baseNode, basePlace),
            BaseModelPlace = basePlace,
            GateMode = mode is null ? GateMode.Hidden : Modes.Single(each => each.Word == mode).Mode,
            DType = type,
            ExpertsPerToken = perToken,
            Experts = experts,
            SharedExperts = ReadExperts(section, "shared_experts", notes),
            Architecture = section.TakeText("architecture"),
            ArchitecturePlace = section.Take("architecture") is { } named ? section.At(named, "architecture") : section.Place,
        };
        if (perToken > experts.Length)
        {
            string key = section.Take("experts_per_token") is null ? "experts" : "experts_per_token";
            string there = experts.Length == 1 ? "is 1" : $"are {experts.Length}";
            throw section.At(section.Take(key)!, key)
                .Error($"each token goes through {perToken} experts (experts_per_token), and there {there}");
        }
        section.Finish(notes);
        if (config.ReadsPrompts) CheckExperts(config, section.At(section.Take("experts")!, "experts"), allowEqualModels);
        return config with { Notes = [.. notes] };
    }

    static ImmutableArray<MoeExpert> ReadExperts(YamlSection section, string key, List<string> notes)
    {
        var items = section.TakeList(key);
        if (items.Length > MostExperts) throw items[MostExperts].Place.Error($"more than {MostExperts} experts");
        return
        [
            .. items.Select(item =>
            {
                var entry = section.Section(item);
                var node = entry.Take("source_model") ?? throw entry.Missing("source_model");
                var expert = new MoeExpert(ModelReference.Read(node, entry.At(node, "source_model")), entry.Place)
                {
                    PositivePrompts = ReadPrompts(entry, "positive_prompts"),
                    NegativePrompts = ReadPrompts(entry, "negative_prompts"),
                    NoiseScale = entry.TakeNumber("noise_scale", 0) ?? 0,
                    ResidualScale = entry.TakeNumber("residual_scale") ?? 1,
                };
                entry.Finish(notes);
                return expert;
            }),
        ];
    }

    static ImmutableArray<string> ReadPrompts(YamlSection entry, string key) =>
    [
        .. entry.TakeList(key)
            .Select(item => item.Node is YamlScalar prompt ? prompt.Text : throw item.Place.Error("a text is expected here")),
    ];

    static void CheckExperts(MoeConfig config, Place place, bool allowEqualModels)
    {
        var experts = config.Experts;
        foreach (var expert in experts)
        {
            if (expert.PositivePrompts.IsEmpty)
                throw expert.Place.Error(
                    "the expert has no positive_prompts, from which its router row is made; give some, or set gate_mode: random");
        }
        if (experts.Length == 1) return;
        bool Alike(MoeExpert expert) =>
            expert.PositivePrompts.SequenceEqual(experts[0].PositivePrompts)
            && expert.NegativePrompts.SequenceEqual(experts[0].NegativePrompts);
        if (experts.All(Alike))
            throw place.Error("all experts have the same prompts, so that the router could not tell them apart; "
                + "give each its own, or set gate_mode: random");
        if (!allowEqualModels && experts.All(expert => expert.Model == experts[0].Model))
            throw place.Error($"all experts are {experts[0].Model}; that is of use only before training: "
                + "--i-understand-this-is-not-useful-without-training");
    }
}
