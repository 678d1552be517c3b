using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>One model's tensors as they are, times <c>scale</c> where it is given: for stacking layers of several models.</summary>
public sealed class Passthrough : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "passthrough";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Passthrough", null);

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("scale", PerModel: true, Optional: true)];

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs) => inputs.Count == 1
        ? null
        : $"takes exactly one model for each tensor, here are {inputs.Count}: {string.Join(", ", inputs.ModelNames)}";

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) => new Merge((float)inputs.PerModel["scale"][0]);

    sealed class Merge(float scale) : TensorMerge
    {
        public override bool ShowsDamage => true;

        public override void Apply(in Strip strip, Span<float> output)
        {
            if (float.IsNaN(scale)) strip[0].CopyTo(output);
            else Elementwise.Scale(strip[0], scale, output);
        }
    }
}
