using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The other model where it is near the base, moving to the base where they differ: y = α x + (1 − α) b,
/// α = t / max(|b − x|, 1e-6), between 0 and 1 (https://huggingface.co/alchemonaut/QuartetAnemoi-70B-t0.0001).
/// </summary>
public sealed class NearSwap : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "nearswap";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("NearSwap", "https://huggingface.co/alchemonaut/QuartetAnemoi-70B-t0.0001");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("t")];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs) => inputs.Count == 2
        ? null
        : $"takes exactly two models, one of them the base; here are {inputs.Count}: {string.Join(", ", inputs.ModelNames)}";

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) => new Merge(inputs.BaseIndex, (float)inputs.Values["t"]);

    sealed class Merge(int baseIndex, float t) : TensorMerge
    {
        // A NaN gives a NaN. An infinity lies infinitely far from any number, so that α is 0: 0 times it is NaN, and the base's shows itself.
        public override bool ShowsDamage => true;

        public override void Apply(in Strip strip, Span<float> output)
        {
            if (strip.HoldsBFloat16) Mix<BFloat16>(strip, output);
            else Mix<float>(strip, output);
        }

        void Mix<T>(in Strip strip, Span<float> output) where T : unmanaged =>
            Elementwise.MixNear(strip.Values<T>(baseIndex), strip.Values<T>(1 - baseIndex), t, output);
    }
}
