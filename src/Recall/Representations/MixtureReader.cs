using Recall.Checkpoints.Architectures;

namespace Recall.Representations;

/// <summary>Mixtures of experts from config.json.</summary>
static class MixtureReader
{
    const int MostExperts = 1 << 14, MostValues = 1 << 24;

    /// <summary>For each layer its mixture; null where it has an MLP.</summary>
    /// <param name="config">The config.</param>
    /// <param name="family">The family, with the names of this checkpoint.</param>
    /// <param name="hidden">Values of a hidden state.</param>
    /// <param name="has">Whether the checkpoint has a tensor: experts are stacked in some files, and single in others.</param>
    public static Func<int, MixtureOptions?> Read(ModelConfig config, Architecture family, int hidden, Func<string, bool> has)
    {
        if (family.Block!.Mixture is not { } traits) return _ => null;
        int experts = config.Integer(traits.ExpertsKey, 1, MostExperts);
        bool shared = traits.Shared.Length > 0;
        var single = new MixtureOptions
        {
            Experts = experts,
            Active = config.Integer("num_experts_per_tok", 1, experts, Math.Min(experts, traits.DefaultActive)),
            Normalized = traits.Normalized ?? config.Flag("norm_topk_prob"),
            Router = traits.Router,
            GateUp = [.. traits.GateUp.Select(name => $"{traits.Experts}.*.{name}")],
            Down = $"{traits.Experts}.*.{traits.Down}",
            IntermediateSize = config.Integer(traits.IntermediateKey, 1, MostValues),
            Shared = traits.Shared,
            SharedIntermediateSize = shared ? config.Integer("shared_expert_intermediate_size", 1, MostValues) : 0,
        };
        var stacked = single with
        {
            Router = traits.StackedRouter,
            Stacked = traits.Stacked,
            GateUp = [traits.Stacked.GateUp + "[*]"],
            Down = traits.Stacked.Down + "[*]",
        };
        int step = traits.SomeLayers ? config.Integer("decoder_sparse_step", 1, int.MaxValue, 1) : 1;
        var dense = traits.SomeLayers && config.Values["mlp_only_layers"] is System.Text.Json.Nodes.JsonArray list
            ? list.Select(layer => layer?.ToJsonString()).ToHashSet() : [];
        return layer =>
        {
            if (dense.Contains(layer.ToString(System.Globalization.CultureInfo.InvariantCulture)) || (layer + 1) % step != 0) return null;
            return traits.Experts.Length == 0 || has(family.LayerTensor(layer, traits.Stacked.GateUp)) ? stacked : single;
        };
    }
}
