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
        const int Chunk = 1024;

        readonly double[] _factors = new double[others.Length];

        public override int Passes => 1;

        public override (int Sums, int Counts) Reduction(int pass) => (0, 2 * others.Length);

        public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
        {
            Span<float> active = stackalloc float[Chunk];
            for (int first = 0; first < strip.Length; first += Chunk)
            {
                active = active[..Math.Min(Chunk, strip.Length - first)];
                Activity(strip, first, active);
                for (int i = 0; i < others.Length; i++)
                {
                    var (unique, shared) = TaskVectors.CountUnique(strip[others[i]].Slice(first, active.Length), (float)epsilon, active);
                    counts[2 * i] += unique;
                    counts[2 * i + 1] += shared;
                }
            }
        }

        public override void EndPass(int pass, Reduced reduced)
        {
            for (int i = 0; i < others.Length; i++)
                _factors[i] = 1 + r * Math.Max(Math.Min(reduced.Counts[2 * i + 1] / Math.Max(reduced.Counts[2 * i], epsilon), alpha), 0);
        }

        public override void Apply(in Strip strip, Span<float> output)
        {
            Span<float> active = stackalloc float[Chunk], sum = stackalloc float[Chunk], scaled = stackalloc float[Chunk];
            for (int first = 0; first < output.Length; first += Chunk)
            {
                int length = Math.Min(Chunk, output.Length - first);
                active = active[..length];
                sum = sum[..length];
                scaled = scaled[..length];
                Activity(strip, first, active);
                sum.Clear();
                scaled.Clear();
                for (int i = 0; i < others.Length; i++)
                {
                    TaskVectors.AddActive(strip[others[i]].Slice(first, length), (float)epsilon, 1, sum);
                    TaskVectors.AddActive(strip[others[i]].Slice(first, length), (float)epsilon, (float)_factors[i], scaled);
                }
                TaskVectors.TakeWhereOne(scaled, active, sum);
                TaskVectors.AddQuotient(strip[baseIndex].Slice(first, length), sum, active, 1, output.Slice(first, length));
            }
        }

        void Activity(in Strip strip, int first, Span<float> active)
        {
            active.Clear();
            foreach (int i in others)
            {
                var delta = strip[i].Slice(first, active.Length);
                TaskVectors.Subtract(strip[baseIndex].Slice(first, active.Length), delta);
                TaskVectors.CountActive(delta, (float)epsilon, active);
            }
        }
    }
}
