using System.Collections.Immutable;
using Recall.Checkpoints.Architectures;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// Computes a linear layer of a block: its name within the block (<c>self_attn.q_proj</c>) and its input [..., in] give its output
/// [..., out].
/// </summary>
public delegate Tensor LinearLayer(string name, Tensor input);

/// <summary>
/// One transformer block, with the weights that are handed in, as a chain of pure functions:
/// <c>AttentionInput → q, k, v → Attention → o → AttentionOutput → MlpInput → gate, up → Activate → down → MlpOutput</c>, or in place of
/// the MLP a mixture of experts (<see cref="MixtureRouting"/>). What lies between them, the linear layers, can be replaced: by LoRA, by
/// weights solved for on the way, by a look at their inputs.
/// </summary>
/// <param name="Options">Sizes and kinds.</param>
/// <param name="Layer">Its number, from 0.</param>
/// <param name="Weights">Its tensors, by name within the layer, as a checkpoint has them: <see cref="BlockOptions.LayerTensors"/>.</param>
public sealed record Block(BlockOptions Options, int Layer, IReadOnlyDictionary<string, Tensor> Weights)
{
    readonly ImmutableArray<BlockLinear> _queryKeyValue = Options.QueryKeyValue, _gateUp = Options.GateUp;
    readonly ImmutableDictionary<string, BlockLinear> _linears = Options.Linears(Layer).ToImmutableDictionary(linear => linear.Name);

    BlockTraits Traits => Options.Traits;

    LayerKind Kind => Options.Kinds[Layer];

    /// <summary>The whole block. <paramref name="linear"/> takes the place of <see cref="Linear"/>.</summary>
    public Tensor Forward(Tensor hidden, AttentionContext context, LinearLayer? linear = null, KeyValueCache? cache = null)
    {
        // [B, T, d] → [B, T, d]
        linear ??= Linear;
        using var scope = NewDisposeScope();
        var input = AttentionInput(hidden);
        var attended = Attention([.. _queryKeyValue.Select(layer => linear(layer.Name, input))], context, cache);
        var after = hidden.Plus(AttentionOutput(linear(Traits.Output, attended)));
        input = MlpInput(Options.Parallel ? hidden : after);
        var given = Kind.Mixture is { } mixture ? MixtureRouting.Forward(this, mixture, input, linear)
            : linear(Traits.Down, Activate([.. _gateUp.Select(layer => linear(layer.Name, input))]));
        return after.Plus(MlpOutput(given)).MoveToOuterDisposeScope();
    }

    /// <summary>A linear layer with the block's weights: x Wᵀ + b.</summary>
    public Tensor Linear(string name, Tensor input)
    {
        // [..., in] → [..., out]
        var layer = _linears[name];
        var bias = layer.Bias ? Weights[layer.BiasName] : null;
        var weight = Weights[layer.Tensor];
        if (layer.Stack is null && !layer.Transposed) return nn.functional.linear(input, weight, bias);
        using var view = layer.Stack is not null ? weight.select(0, layer.StackIndex) : weight.t();
        return nn.functional.linear(input, view, bias);
    }

    /// <summary>What goes into queries, keys and values: the norm of the block's input, or the input itself.</summary>
    public Tensor AttentionInput(Tensor hidden) => Normed(Traits.AttentionNorm, hidden);

    /// <summary>What the output layer's result adds to the hidden state.</summary>
    public Tensor AttentionOutput(Tensor output) => Added(Normed(Traits.AttentionPostNorm, output));

    /// <summary>
    /// What goes into gate and up: the norm of the state after the attention; with <see cref="BlockOptions.Parallel"/> of that before it.
    /// </summary>
    public Tensor MlpInput(Tensor hidden) => Normed(Traits.MlpNorm, hidden);

    /// <summary>What the MLP's result adds to the hidden state.</summary>
    public Tensor MlpOutput(Tensor output) => Added(Normed(Traits.MlpPostNorm, output));

    // [..., n] → [..., n]
    Tensor Normed(string name, Tensor input) => name.Length == 0 ? input.alias() : Options.Norm.Apply(
        input, Weights.GetValueOrDefault(name + ".weight"), Weights.GetValueOrDefault(name + ".bias"));

    Tensor Added(Tensor output) => Options.ResidualScale == 1 ? output : output.Times(Options.ResidualScale);

    /// <summary>
    /// From what the linear layers of <see cref="BlockOptions.QueryKeyValue"/> give to what goes into the output layer: norms of the heads,
    /// rotation, grouped-query attention.
    /// </summary>
    public Tensor Attention(IReadOnlyList<Tensor> projected, AttentionContext context, KeyValueCache? cache = null)
    {
        // [B, T, H·D], [B, T, Hkv·D] twice, or [B, T, (H + 2 Hkv)·D] → [B, T, H·D]
        using var scope = NewDisposeScope();
        if (Options.ClipQueryKeyValue is > 0 and var most) projected = [.. projected.Select(values => values.Clipped(most))];
        var (queries, keys, values) = projected is [var fused] ? Split(fused) : (projected[0], projected[1], projected[2]);
        bool whole = Traits.QueryKeyNorm == QueryKeyNorm.Whole;
        if (whole) (queries, keys) = NormedHeads(queries, keys);
        var (q, k, v) = (Heads(queries, Options.Heads), Heads(keys, Options.KeyValueHeads), Heads(values, Options.KeyValueHeads));
        if (Traits.QueryKeyNorm == QueryKeyNorm.Head) (q, k) = NormedHeads(q, k);
        if (Kind.Rope is { } rope) (q, k) = (context.Rotate(q, rope), context.Rotate(k, rope));
        if (Traits.QueryKeyNorm == QueryKeyNorm.HeadAfterRotation) (q, k) = NormedHeads(q, k);
        if (context.QueryScale is not null) q = q * context.QueryScale;
        if (cache is not null) (k, v) = cache.Extend(Layer, k, v);
        var attended = context.Attend(q, k, v, Kind.Window);
        return attended.transpose(1, 2).reshape(queries.shape[0], queries.shape[1], -1).MoveToOuterDisposeScope();
    }

    (Tensor, Tensor, Tensor) Split(Tensor fused)
    {
        // [B, T, (H + 2 Hkv)·D] → [B, T, H·D], [B, T, Hkv·D] twice
        long queries = Options.Heads * Options.HeadDim, keys = Options.KeyValueHeads * Options.HeadDim;
        if (Traits.FusedOrder == FusedOrder.Blocks)
            return (fused.narrow(-1, 0, queries), fused.narrow(-1, queries, keys), fused.narrow(-1, queries + keys, keys));
        var (rows, tokens, group) = (fused.shape[0], fused.shape[1], Options.Heads / Options.KeyValueHeads);
        var heads = fused.view(rows, tokens, Options.KeyValueHeads, group + 2, Options.HeadDim);
        return (heads.narrow(3, 0, group).reshape(rows, tokens, queries), heads.narrow(3, group, 1).reshape(rows, tokens, keys),
            heads.narrow(3, group + 1, 1).reshape(rows, tokens, keys));
    }

    (Tensor, Tensor) NormedHeads(Tensor queries, Tensor keys) =>
        (Normed(Traits.QueryKeyNorms.Query, queries), Normed(Traits.QueryKeyNorms.Key, keys));

    Tensor Heads(Tensor x, int heads) =>
        // [B, T, H·D] → [B, H, T, D]
        x.view(x.shape[0], x.shape[1], heads, Options.HeadDim).transpose(1, 2);

    /// <summary>
    /// From what the MLP's first layers give to what goes into down: gate and up, the two fused, gate first, or up alone.
    /// </summary>
    public Tensor Activate(IReadOnlyList<Tensor> outputs)
    {
        // [..., intermediate] once or twice, or [..., 2·intermediate] → [..., intermediate]
        if (outputs is [var gate, var up]) return Activated(gate, up);
        if (!Traits.Gated) return Activated(outputs[0], null);
        long half = outputs[0].shape[^1] / 2;
        using var first = outputs[0].narrow(-1, 0, half);
        using var second = outputs[0].narrow(-1, half, half);
        return Activated(first, second);
    }

    Tensor Activated(Tensor gate, Tensor? up)
    {
        if (up is not null && Options.Activation == Activation.Silu && BlockKernels.Serve(gate, up)) return BlockKernels.SiluTimes(gate, up);
        var activated = Options.Activation switch
        {
            Activation.Silu => nn.functional.silu(gate),
            Activation.Gelu => gate.gelu(),
            Activation.GeluTanh => gate.gelu(TorchSharp.Modules.GELU.Approximate.tanh),
            Activation.Relu => gate.relu(),
            Activation.ReluSquared => gate.relu().Squared(),
            var other => throw new InvalidOperationException(other.ToString()),
        };
        if (up is null) return activated;
        using (activated) return activated * up;
    }
}
