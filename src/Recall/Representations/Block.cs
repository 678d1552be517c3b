using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// Computes a linear layer of a block: its name within the block (<c>self_attn.q_proj</c>) and its input [B, T, in] give its output
/// [B, T, out].
/// </summary>
public delegate Tensor LinearLayer(string name, Tensor input);

/// <summary>
/// One transformer block, with the weights that are handed in, as a chain of pure functions:
/// <c>AttentionInput → q, k, v → Attention → o → + → MlpInput → gate, up → Activate → down → +</c>.
/// What lies between them, the linear layers, can be replaced: by LoRA, by weights solved for on the way, by a look at their inputs.
/// </summary>
/// <param name="Options">Sizes and kinds.</param>
/// <param name="Layer">Its number, from 0.</param>
/// <param name="Weights">Its tensors, by name within the layer: <see cref="BlockOptions.LayerTensors"/>.</param>
public sealed record Block(BlockOptions Options, int Layer, IReadOnlyDictionary<string, Tensor> Weights)
{
    /// <summary>The whole block. <paramref name="linear"/> takes the place of <see cref="Linear"/>.</summary>
    public Tensor Forward(Tensor hidden, AttentionContext context, LinearLayer? linear = null, KeyValueCache? cache = null)
    {
        // [B, T, d] → [B, T, d]
        linear ??= Linear;
        using var scope = NewDisposeScope();
        var input = AttentionInput(hidden);
        var attended = Attention(
            linear("self_attn.q_proj", input), linear("self_attn.k_proj", input), linear("self_attn.v_proj", input), context, cache);
        hidden = hidden.Plus(linear("self_attn.o_proj", attended));
        input = MlpInput(hidden);
        var activated = Activate(linear("mlp.gate_proj", input), linear("mlp.up_proj", input));
        return hidden.Plus(linear("mlp.down_proj", activated)).MoveToOuterDisposeScope();
    }

    /// <summary>A linear layer with the block's weights: x Wᵀ + b.</summary>
    public Tensor Linear(string name, Tensor input) =>
        // [B, T, in] → [B, T, out]
        nn.functional.linear(input, Weights[name + ".weight"], Weights.GetValueOrDefault(name + ".bias"));

    /// <summary>What goes into queries, keys and values: the norm of the block's input.</summary>
    public Tensor AttentionInput(Tensor hidden) =>
        // [B, T, d] → [B, T, d]
        RmsNorm(hidden, Weights["input_layernorm.weight"], Options.NormEpsilon);

    /// <summary>What goes into gate and up: the norm of the state after the attention.</summary>
    public Tensor MlpInput(Tensor hidden) =>
        // [B, T, d] → [B, T, d]
        RmsNorm(hidden, Weights["post_attention_layernorm.weight"], Options.NormEpsilon);

    /// <summary>
    /// From queries, keys and values to what goes into the output layer: norms of the heads, rotation, grouped-query attention.
    /// </summary>
    public Tensor Attention(Tensor queries, Tensor keys, Tensor values, AttentionContext context, KeyValueCache? cache = null)
    {
        // [B, T, H·D], [B, T, Hkv·D] twice → [B, T, H·D]
        using var scope = NewDisposeScope();
        var q = Heads(queries, Options.Heads);
        var k = Heads(keys, Options.KeyValueHeads);
        var v = Heads(values, Options.KeyValueHeads);
        if (Options.QueryKeyNorm)
        {
            q = RmsNorm(q, Weights["self_attn.q_norm.weight"], Options.NormEpsilon);
            k = RmsNorm(k, Weights["self_attn.k_norm.weight"], Options.NormEpsilon);
        }
        q = Rotate(q, context);
        k = Rotate(k, context);
        if (context.QueryScale is not null) q = q * context.QueryScale;
        if (cache is not null) (k, v) = cache.Extend(Layer, k, v);
        var attended = context.Attend(q, k, v, Options.Windows[Layer]);
        return attended.transpose(1, 2).reshape(queries.shape[0], queries.shape[1], -1).MoveToOuterDisposeScope();
    }

    /// <summary>From gate and up to what goes into down.</summary>
    public Tensor Activate(Tensor gate, Tensor up)
    {
        // [B, T, intermediate] twice → [B, T, intermediate]
        if (Options.Activation == Activation.Silu && BlockKernels.Serve(gate, up)) return BlockKernels.SiluTimes(gate, up);
        using var activated = Options.Activation switch
        {
            Activation.Silu => nn.functional.silu(gate),
            Activation.Gelu => gate.gelu(),
            Activation.GeluTanh => gate.gelu(TorchSharp.Modules.GELU.Approximate.tanh),
            Activation.Relu => gate.relu(),
            var other => throw new InvalidOperationException(other.ToString()),
        };
        return activated * up;
    }

    /// <summary>x / √(mean(x²) + ε) · w over the last dimension (arXiv 1910.07467), in float32.</summary>
    public static Tensor RmsNorm(Tensor input, Tensor weight, double epsilon)
    {
        // [..., n], [n] → [..., n]
        if (BlockKernels.Serve(input, weight)) return BlockKernels.RmsNorm(input, weight, epsilon);
        using var scope = NewDisposeScope();
        var x = input.to_type(ScalarType.Float32);
        var normed = x * (x * x).mean([-1], keepdim: true).Plus(epsilon).rsqrt();
        return (weight * normed.to_type(input.dtype)).MoveToOuterDisposeScope();
    }

    Tensor Heads(Tensor x, int heads) =>
        // [B, T, H·D] → [B, H, T, D]
        x.view(x.shape[0], x.shape[1], heads, Options.HeadDim).transpose(1, 2);

    static Tensor Rotate(Tensor x, AttentionContext context)
    {
        // [B, H, T, D] → [B, H, T, D]: value i turns with value i + D/2
        long half = x.shape[3] / 2;
        var rotated = x * context.Cosine;
        rotated.narrow(3, 0, half).AddProduct(x.narrow(3, half, half), context.NegativeSine);
        rotated.narrow(3, half, half).AddProduct(x.narrow(3, 0, half), context.Sine);
        return rotated;
    }
}
