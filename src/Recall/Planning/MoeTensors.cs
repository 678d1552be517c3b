using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Methods;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>The tensors of a mixture of experts, as sources that are read tile by tile: no expert is ever in memory as a whole.</summary>
/// <param name="plan">Models and architecture.</param>
/// <param name="rows">For each layer the router rows, then the gate of the shared expert: [experts, hidden].</param>
sealed class MoeTensors(MoePlan plan, ImmutableArray<float[]> rows)
{
    /// <summary>A layer's router.</summary>
    public const string Router = "mlp.gate.weight";

    /// <summary>The last of an MLP's matrices, [hidden, inner].</summary>
    public const string Down = "mlp.down_proj.weight";

    const string Gate = "mlp.gate_proj.weight", Up = "mlp.up_proj.weight";

    /// <summary>A dense layer's MLP.</summary>
    public static ImmutableArray<string> Mlp { get; } = [Gate, Up, Down];

    /// <summary>Tensors of old checkpoints that hold no weights.</summary>
    public static bool IsRecomputed(string name) => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);

    /// <summary>All, without their places.</summary>
    public IEnumerable<OutputTensor> All()
    {
        var architecture = plan.Base.Architecture;
        foreach (var tensor in plan.Base.Checkpoint.Tensors)
        {
            bool replaced = architecture.LayerOf(tensor.Name) is { } at && Mlp.Contains(at.Suffix);
            if (!replaced && !IsRecomputed(tensor.Name)) yield return Make(tensor.Name, tensor, 0);
        }
        for (int layer = 0; layer < plan.Layers; layer++)
            foreach (var tensor in Layer(layer)) yield return tensor;
    }

    IEnumerable<OutputTensor> Layer(int layer)
    {
        var (experts, shared) = (plan.Config.Experts, plan.Config.SharedExperts);
        string Name(string rest) => plan.Base.Architecture.LayerTensor(layer, rest);
        foreach (string bias in plan.Architecture.FilledWithZeros)
        {
            if (plan.Base.Checkpoint.Find(Name(bias)) is not null) continue;
            long length = plan.Base.Checkpoint.Find(Name(bias.Replace(".bias", ".weight", StringComparison.Ordinal)))!.Shape[0];
            yield return Computed(Name(bias), new Shape(length), new float[length]);
        }

        int hidden = plan.Hidden, router = experts.Length * hidden;
        yield return Computed(Name(Router), new Shape(experts.Length, hidden), rows[layer].AsMemory(0, router));
        const string SharedGate = "mlp.shared_expert_gate.weight";
        if (plan.Architecture.SharedGate) yield return Computed(Name(SharedGate), new Shape(1, hidden), rows[layer].AsMemory(router));

        if (plan.Architecture.Stacked)
        {
            yield return Stack(Name("mlp.experts.gate_up_proj"), layer, [Gate, Up]);
            yield return Stack(Name("mlp.experts.down_proj"), layer, [Down]);
        }
        else
        {
            for (int i = 0; i < experts.Length; i++)
                foreach (var tensor in Separate($"mlp.experts.{i}.", experts[i], i, layer)) yield return tensor;
        }
        for (int i = 0; i < shared.Length; i++)
            foreach (var tensor in Separate(plan.Architecture.SharedPrefix, shared[i], experts.Length + i, layer)) yield return tensor;
    }

    /// <summary>The three matrices of an expert as tensors of their own.</summary>
    IEnumerable<OutputTensor> Separate(string prefix, MoeExpert expert, int number, int layer)
    {
        foreach (string rest in Mlp)
        {
            string name = plan.Base.Architecture.LayerTensor(layer, prefix + rest["mlp.".Length..]);
            yield return Make(name, Weight(expert, number, layer, rest), plan.ModelOf(expert));
        }
    }

    OutputTensor Computed(string name, Shape shape, ReadOnlyMemory<float> values) => Make(name, new ComputedTensor(name, shape, values), 0);

    OutputTensor Stack(string name, int layer, string[] rests)
    {
        var experts = plan.Config.Experts;
        ImmutableArray<TensorSource> parts = [.. experts.SelectMany((expert, i) => rests.Select(rest => Weight(expert, i, layer, rest)))];
        var one = parts[0].Shape;
        var shape = new Shape(experts.Length, one[0] * rests.Length, one[1]);
        var tensor = Make(name, new StackedTensor(name, shape, parts), plan.ModelOf(experts[0]));
        // What is damaged in a stack may come from any of them.
        string all = string.Join(" or ", experts.Select(expert => expert.Model.ToString()).Distinct());
        return tensor with { Inputs = tensor.Inputs with { ModelNames = [all] } };
    }

    /// <summary>A matrix of an expert: its model's, plus noise, and <c>down_proj</c> times the scale of what the expert gives.</summary>
    TensorSource Weight(MoeExpert expert, int number, int layer, string rest)
    {
        var model = plan.Models[plan.ModelOf(expert)];
        var tensor = model.Checkpoint.Find(model.Architecture.LayerTensor(layer, rest))!;
        if (expert.NoiseScale > 0)
            tensor = new NoisyTensor(tensor, expert.NoiseScale, new CounterRandom(plan.Options.Seed, tensor.Name, number));
        return rest == Down && expert.ResidualScale != 1 ? new ScaledTensor(tensor, expert.ResidualScale) : tensor;
    }

    OutputTensor Make(string name, TensorSource source, int model)
    {
        var type = source.DType.IsFloat() ? plan.Type : source.DType;
        var inputs = new TensorInputs
        {
            Name = name,
            Shape = source.Shape,
            Models = [model],
            ModelNames = [plan.Models[model].Name],
            BaseIndex = model == 0 ? 0 : -1,
            IsEmbedding = name == plan.Base.Architecture.Embedding || name == plan.Base.Architecture.Head,
            Seed = plan.Options.Seed,
        };
        return new OutputTensor(name, source.Shape, type, [source], new MixtureOfExperts(), inputs)
        {
            WeightLayer = plan.Base.Architecture.LayerOf(name) is { } at ? at.Layer + 1 : -1,
            Copied = source.DType == type ? source.Verbatim : null,
        };
    }
}
