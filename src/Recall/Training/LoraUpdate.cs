using System.Collections.Immutable;
using Recall.Checkpoints.Lora;
using Recall.Representations;
using TorchSharp;
using static TorchSharp.torch;

namespace Recall.Training;

/// <summary>The low-rank update of a model's linear layers while it is trained: y = W x + b + scale · B A x (arXiv 2106.09685).</summary>
public sealed class LoraUpdate : IDisposable
{
    LoraUpdate(LoraOptions options, ImmutableSortedDictionary<string, (Tensor A, Tensor B)> factors) =>
        (Options, Factors) = (options, factors);

    /// <summary>Rank, scale, modules.</summary>
    public LoraOptions Options { get; }

    /// <summary>By the module's name in the model (<c>model.layers.0.self_attn.q_proj</c>): A [r, in] and B [out, r], float32.</summary>
    public ImmutableSortedDictionary<string, (Tensor A, Tensor B)> Factors { get; }

    /// <summary>
    /// A fresh update: B is 0, so that it changes nothing yet; A is uniform in ±1/√in, as PEFT draws it (Kaiming uniform with a = √5).
    /// </summary>
    public static LoraUpdate Create(BlockOptions model, LoraOptions options, int seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed, CPU);
        using Scalar one = 1, two = 2;
        var factors = ImmutableSortedDictionary.CreateBuilder<string, (Tensor, Tensor)>(StringComparer.Ordinal);
        for (int layer = 0; layer < model.Layers; layer++)
        {
            foreach (var linear in model.Linears(layer))
            {
                // Experts that are stacked in one tensor are no layers of their own, and routers are left alone.
                if (linear.Stack is not null || linear.Name == model.Kinds[layer].Mixture?.Router) continue;
                if (!options.TargetModules.Contains(Module(linear.Name))) continue;
                using Scalar root = Math.Sqrt(linear.Inputs);
                var a = rand(options.Rank, linear.Inputs, generator: generator).mul(two).sub(one).div(root);
                factors.Add(model.NameOf(layer, linear.Name), (Trained(a), Trained(zeros(linear.Outputs, options.Rank))));
            }
        }
        if (factors.Count == 0)
        {
            string own = string.Join(", ", model.Linears(0).Select(linear => Module(linear.Name)).Distinct());
            throw new RecallException($"target_modules: {string.Join(", ", options.TargetModules)}: the model has no such layer; it has {own}");
        }
        return new LoraUpdate(options, factors.ToImmutable());
    }

    /// <summary>The last part of a layer's name.</summary>
    static string Module(string name) => name[(name.LastIndexOf('.') + 1)..];

    /// <summary>The last parts of the names of the layers that are updated.</summary>
    public ImmutableArray<string> Modules => [.. Options.TargetModules.Intersect(Factors.Keys.Select(Module))];

    /// <summary>An update with given factors, which it takes over.</summary>
    internal static LoraUpdate Of(LoraOptions options, IEnumerable<KeyValuePair<string, (Tensor A, Tensor B)>> factors) => new(options,
        factors.ToImmutableSortedDictionary(
            factor => factor.Key, factor => (Trained(factor.Value.A), Trained(factor.Value.B)), StringComparer.Ordinal));

    static Tensor Trained(Tensor factor) => factor.DetachFromDisposeScope().requires_grad_();

    /// <summary>A linear layer of a block with its update.</summary>
    public Tensor Linear(Block block, string name, Tensor input)
    {
        // [B, T, in] → [B, T, out]
        var output = block.Linear(name, input);
        if (!Factors.TryGetValue(block.Options.NameOf(block.Layer, name), out var factor)) return output;
        using var scope = NewDisposeScope();
        var update = nn.functional.linear(nn.functional.linear(input, factor.A), factor.B);
        using Scalar scale = Options.Scale;
        return output.add(update, scale).MoveToOuterDisposeScope();
    }

    /// <summary>The factors, copied, as the writer of adapters takes them.</summary>
    public IReadOnlyList<LoraFactors> ToFactors() =>
    [
        .. Factors.Select(factor => new LoraFactors(factor.Key, (int)factor.Value.B.shape[0], (int)factor.Value.A.shape[1], Options.Rank,
            factor.Value.A.data<float>().ToArray(), factor.Value.B.data<float>().ToArray(), Options.Alpha)),
    ];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (a, b) in Factors.Values)
        {
            a.Dispose();
            b.Dispose();
        }
    }
}
