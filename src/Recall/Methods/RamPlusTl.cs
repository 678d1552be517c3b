using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// As <see cref="Ram"/>, but what one task vector alone changes is made larger, the more so the more of its other changes it shares:
/// by λ_m = 1 + r · min(ρ_m, alpha), ρ_m = elements that it shares / max(elements that it alone changes, epsilon), of the tensor
/// (Reinforced Agent Merging Plus, tensor-local, arXiv 2601.13572). 16-bit models give float32 unless the config says otherwise, as in mergekit.
/// </summary>
public sealed class RamPlusTl : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "ramplus_tl";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Reinforced Agent Merging Plus (Tensor-Local)", "https://arxiv.org/abs/2601.13572");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("epsilon", 1e-5), new("r", 0.1), new("alpha", 0.2)];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override DType ResultType(ImmutableArray<DType> inputs, int baseIndex) => DTypes.Promote(base.ResultType(inputs, baseIndex), DType.F32);

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) =>
        new Merge(inputs.BaseIndex, [.. inputs.Others], inputs.Values["epsilon"], inputs.Values["r"], inputs.Values["alpha"]);

    sealed class Merge(int baseIndex, ImmutableArray<int> others, double epsilon, double r, double alpha) : TensorMerge
    {
        readonly float[] _factors = new float[others.Length];

        public override int Passes => 1;

        public override (int Sums, int Counts) Reduction(int pass) => (0, 2 * others.Length);

        public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
        {
            if (strip.HoldsBFloat16) Count<BFloat16>(strip, counts);
            else Count<float>(strip, counts);
        }

        void Count<T>(in Strip strip, Span<long> counts) where T : unmanaged
        {
            int words = ActiveElements.Words(strip.Length);
            Span<ulong> marks = stackalloc ulong[words * others.Length];
            for (int i = 0; i < others.Length; i++)
                ActiveElements.Mark(strip.Values<T>(baseIndex), strip.Values<T>(others[i]), (float)epsilon, marks.Slice(i * words, words));
            ActiveElements.Count(marks, counts);
        }

        public override void EndPass(int pass, Reduced reduced)
        {
            for (int i = 0; i < others.Length; i++)
                _factors[i] = (float)(1 + r * Math.Max(Math.Min(reduced.Counts[2 * i + 1] / Math.Max(reduced.Counts[2 * i], epsilon), alpha), 0));
        }

        public override void Apply(in Strip strip, Span<float> output) =>
            Ram.Apply(strip, baseIndex, others, (float)epsilon, _factors, output);
    }
}
