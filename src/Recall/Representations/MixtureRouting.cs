using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>Which tokens go through which expert, and with what weight.</summary>
/// <param name="Weights">For each token the weight of each expert, 0 where it does not go through it: [tokens, experts].</param>
public sealed record MixtureRouting(Tensor Weights)
{
    /// <summary>From the router's scores: softmax over all experts in float32, the largest few, whose sum is made 1 where the model does so.</summary>
    public static MixtureRouting Of(MixtureOptions mixture, Tensor scores)
    {
        // [..., experts] → [tokens, experts]
        using var scope = NewDisposeScope();
        var all = nn.functional.softmax(scores.reshape(-1, mixture.Experts).to_type(ScalarType.Float32), 1);
        var (largest, chosen) = all.topk(mixture.Active, 1);
        if (mixture.Normalized) largest = largest / largest.sum(1, keepdim: true);
        return new MixtureRouting(zeros_like(all).scatter(1, chosen, largest).MoveToOuterDisposeScope());
    }

    /// <summary>The tokens of an expert, ascending: [n] int64.</summary>
    public Tensor TokensOf(int expert)
    {
        using var scope = NewDisposeScope();
        return Weights.select(1, expert).IsPositive().nonzero().view(-1).MoveToOuterDisposeScope();
    }

    /// <summary>The weights of some tokens in an expert: [n, 1].</summary>
    public Tensor WeightsOf(int expert, Tensor tokens) => Weights.select(1, expert).index_select(0, tokens).unsqueeze(1);

    /// <summary>A whole mixture, from the MLP's input to its output.</summary>
    internal static Tensor Forward(Block block, MixtureOptions mixture, Tensor input, LinearLayer linear)
    {
        // [B, T, d] → [B, T, d]
        using var scope = NewDisposeScope();
        int hidden = (int)input.shape[^1];
        var sum = zeros_like(input);
        if (mixture.Shared.Length > 0)
        {
            var shared = linear(mixture.SharedDown(hidden).Name,
                block.Activate([linear(mixture.Shared + ".gate_proj", input), linear(mixture.Shared + ".up_proj", input)]));
            sum = Gated(shared, linear(mixture.SharedGate, input));
        }
        var routing = Of(mixture, linear(mixture.Router, input));
        var (rows, flat) = (input.reshape(-1, hidden), sum.reshape(-1, hidden));
        for (int expert = 0; expert < mixture.Experts; expert++)
        {
            var tokens = routing.TokensOf(expert);
            if (tokens.numel() == 0) continue;
            var own = rows.index_select(0, tokens);
            var given = linear(MixtureOptions.Of(mixture.Down, expert),
                block.Activate([.. mixture.GateUp.Select(name => linear(MixtureOptions.Of(name, expert), own))]));
            flat = flat.WithRows(tokens, given * routing.WeightsOf(expert, tokens).to_type(given.dtype));
        }
        return flat.view(input.shape).MoveToOuterDisposeScope();
    }

    /// <summary>What a shared MLP gives, times the sigmoid of its gate.</summary>
    public static Tensor Gated(Tensor output, Tensor gate)
    {
        // [..., d], [..., 1] → [..., d]
        using var open = gate.sigmoid();
        return output * open;
    }
}
