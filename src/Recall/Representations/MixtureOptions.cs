using System.Collections.Immutable;

namespace Recall.Representations;

/// <summary>
/// Experts in place of a block's MLP: softmax over the router's scores, the largest few count, and each token goes through those experts.
/// </summary>
public sealed record MixtureOptions
{
    /// <summary>Number of experts.</summary>
    public required int Experts { get; init; }

    /// <summary>Experts of a token.</summary>
    public required int Active { get; init; }

    /// <summary>Whether the weights of a token's experts are made to sum to 1.</summary>
    public required bool Normalized { get; init; }

    /// <summary>The router's name within the block: hidden state → a score an expert.</summary>
    public required string Router { get; init; }

    /// <summary>The linear layers of an expert that read its input, with <c>*</c> for its number: gate and up, or both fused.</summary>
    public required ImmutableArray<string> GateUp { get; init; }

    /// <summary>The output layer of an expert, with <c>*</c> for its number.</summary>
    public required string Down { get; init; }

    /// <summary>Values between the halves of an expert.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Tensors in which experts are stacked, gate and up fused; null: each has its own.</summary>
    public (string GateUp, string Down)? Stacked { get; init; }

    /// <summary>An MLP that all tokens go through, by its name; its gate is named <c>…_gate</c>. Empty: none.</summary>
    public string Shared { get; init; } = "";

    /// <summary>Values between the halves of the shared MLP.</summary>
    public int SharedIntermediateSize { get; init; }

    /// <summary>The name of a layer of an expert.</summary>
    public static string Of(string name, int expert) => name.Replace("*", expert.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);

    /// <summary>The shared MLP's gate: hidden state → one score, of which the sigmoid counts.</summary>
    public string SharedGate => Shared + "_gate";

    /// <summary>The linear layers that every token goes through before the experts: the router, and those of the shared MLP.</summary>
    public IEnumerable<BlockLinear> Before(int hidden)
    {
        yield return new BlockLinear(Router, Experts, hidden, false);
        if (Shared.Length == 0) yield break;
        yield return new BlockLinear(SharedGate, 1, hidden, false);
        yield return new BlockLinear(Shared + ".gate_proj", SharedIntermediateSize, hidden, false);
        yield return new BlockLinear(Shared + ".up_proj", SharedIntermediateSize, hidden, false);
    }

    /// <summary>The output layer of the shared MLP.</summary>
    public BlockLinear SharedDown(int hidden) => new(Shared + ".down_proj", hidden, SharedIntermediateSize, false);

    /// <summary>The layers of an expert that read its input.</summary>
    public IEnumerable<BlockLinear> GateUpOf(int expert, int hidden) => GateUp.Select(name =>
        new BlockLinear(Of(name, expert), GateUp.Length == 1 ? 2 * IntermediateSize : IntermediateSize, hidden, false)
        {
            Stack = Stacked?.GateUp, StackHeight = Experts, StackIndex = Stacked is null ? 0 : expert,
        });

    /// <summary>The output layer of an expert.</summary>
    public BlockLinear DownOf(int expert, int hidden) => new(Of(Down, expert), hidden, IntermediateSize, false)
    {
        Stack = Stacked?.Down, StackHeight = Experts, StackIndex = Stacked is null ? 0 : expert,
    };
}
