using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The base plus the mean of the task vectors that change an element: y = b + Σ a_m δ_m / max(c, 1), a_m = 1 where |δ_m| is above
/// <c>epsilon</c>, c = Σ a_m (Reinforced Agent Merging, arXiv 2601.13572).
/// </summary>
public sealed class Ram : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "ram";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Reinforced Agent Merging", "https://arxiv.org/abs/2601.13572");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("epsilon", 1e-5)];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) =>
        new Merge(inputs.BaseIndex, [.. inputs.Others], (float)inputs.Values["epsilon"]);

    sealed class Merge(int baseIndex, ImmutableArray<int> others, float epsilon) : TensorMerge
    {
        readonly float[] _factors = [.. others.Select(_ => 1f)];

        public override void Apply(in Strip strip, Span<float> output) => Ram.Apply(strip, baseIndex, others, epsilon, _factors, output);
    }

    /// <summary>The base plus the mean of the task vectors that change an element, or f_m times that of the one that does.</summary>
    internal static void Apply(in Strip strip, int baseIndex, ImmutableArray<int> others, float epsilon, ReadOnlySpan<float> factors, Span<float> output)
    {
        if (others.Length != 2) ActiveElements.Add(strip[baseIndex], strip.Inputs, others.AsSpan(), epsilon, factors, output);
        else if (strip.HoldsBFloat16) AddTwo<BFloat16>(strip, baseIndex, others, epsilon, factors, output);
        else AddTwo<float>(strip, baseIndex, others, epsilon, factors, output);
    }

    static void AddTwo<T>(in Strip strip, int baseIndex, ImmutableArray<int> others, float epsilon, ReadOnlySpan<float> factors, Span<float> output)
        where T : unmanaged =>
        ActiveElements.Add(strip.Values<T>(baseIndex), strip.Values<T>(others[0]), factors[0], strip.Values<T>(others[1]), factors[1], epsilon, output);
}
