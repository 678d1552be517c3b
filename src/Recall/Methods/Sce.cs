using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Select, calculate, erase: of the task vectors only the elements whose variance over the models is largest are kept, <c>select_topk</c> of
/// those that vary at all; each model's weight is its mean square over all, divided by their sum (all the same where the sum is below 1e-6);
/// elements against the sign of Σ δ_m (+ where that is 0) are left out: y = b + Σ W_m δ_m / max(Σ W_m, 1e-6) over the others
/// (Wan et al., FuseChat, arXiv 2408.07990).
/// </summary>
public sealed class Sce : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "sce";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("SCE", "https://arxiv.org/abs/2408.07990");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [new("select_topk", 1), new("int8_mask", 0, Flag: true)];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) =>
        new Merge(inputs.BaseIndex, [.. inputs.Others], inputs.Shape.Elements, inputs.Values["select_topk"]);

    sealed class Merge : TensorMerge
    {
        const float SmallestSum = 1e-6f;

        readonly int _base;
        readonly ImmutableArray<int> _others;
        readonly long _elements;
        readonly RankCut? _cut;
        readonly MagnitudeRanks? _ranks;
        readonly double[] _weights;
        readonly float[] _votes;
        float[] _scales = [];

        public Merge(int baseIndex, ImmutableArray<int> others, long elements, double share)
        {
            (_base, _others, _elements) = (baseIndex, others, elements);
            _weights = new double[others.Length];
            Array.Fill(_votes = new float[others.Length], 1);
            if (share >= 1 || elements == 0) return;
            _cut = RankCut.LargestOfNonZero(elements, share);
            _ranks = new MagnitudeRanks(places: true, _cut);
        }

        // The passes of the cut, then the one for the weights.
        int Selecting => _ranks?.Passes ?? 0;

        public override int Passes => Selecting + 1;

        public override int SampleStride => _ranks?.Stride ?? 1;

        public override (int Sums, int Counts) Reduction(int pass) => pass >= Selecting ? (_others.Length, 0) : (0, _ranks!.Counts(pass));

        [SkipLocalsInit]
        public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
        {
            Span<float> variances = stackalloc float[_cut is null ? 0 : strip.Length];
            Subtract(strip, variances);
            if (pass < Selecting)
            {
                _ranks!.Reduce(pass, strip.Start, new PlainValues(variances), counts);
                return;
            }
            for (int i = 0; i < _others.Length; i++)
            {
                var delta = strip[_others[i]];
                _cut?.Clear(strip.Start, variances, taken: false, delta);
                sums[i] += Sums.Dot(delta, delta);
            }
        }

        public override void EndPass(int pass, Reduced reduced)
        {
            if (pass < Selecting)
            {
                _ranks!.EndPass(pass, reduced.Counts);
                return;
            }
            double sum = 0;
            for (int i = 0; i < _weights.Length; i++) sum += _weights[i] = reduced.Sum(i) / Math.Max(_elements, 1);
            for (int i = 0; i < _weights.Length; i++) _weights[i] = sum < SmallestSum ? 1.0 / _weights.Length : _weights[i] / sum;
            _scales = [.. _weights.Select(weight => (float)weight)];
        }

        [SkipLocalsInit]
        public override void Apply(in Strip strip, Span<float> output)
        {
            Span<float> variances = stackalloc float[_cut is null ? 0 : strip.Length], sums = stackalloc float[strip.Length];
            Subtract(strip, variances);
            if (_cut is not null)
                foreach (int i in _others) _cut.Clear(strip.Start, variances, taken: false, strip[i]);
            TaskVectors.Elect(strip.Inputs, _others.AsSpan(), _votes, _scales, _scales, output, sums);
            Elementwise.AtLeast(sums, SmallestSum);
            TaskVectors.AddQuotient(strip[_base], output, sums, 1, output);
        }

        void Subtract(in Strip strip, Span<float> variances)
        {
            foreach (int i in _others) TaskVectors.Subtract(strip[_base], strip[i]);
            if (_cut is not null) Sums.Variances(strip.Inputs, _others.AsSpan(), variances);
        }
    }
}
