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
            ShowsDamage = others.Length > 0;
            if (share >= 1 || elements == 0) return;
            _cut = RankCut.LargestOfNonZero(elements, share);
            _ranks = new MagnitudeRanks(places: true, _cut);
            ShowsDamage &= _ranks.Passes > 0;
        }

        // A NaN or an infinity shows in the variances, of which those of all elements are looked at, or in the squares of all.
        public override bool ShowsDamage { get; }

        // The passes of the cut, then the one for the weights.
        int Selecting => _ranks?.Passes ?? 0;

        public override int Passes => Selecting + 1;

        public override int SampleStride => _ranks?.Stride ?? 1;

        internal override long KeptBytes => _ranks?.KeptBytes ?? 0;

        public override (int Sums, int Counts) Reduction(int pass) => (_others.Length, pass >= Selecting ? 0 : _ranks!.Counts(pass));

        // Two task vectors, the usual case, lie nowhere: kernels read them from the inputs.
        bool IsPair => _others.Length == 2;

        static VectorPair<T> Pair<T>(in Strip strip, int origin, ImmutableArray<int> others) where T : unmanaged =>
            new(strip.Values<T>(others[0]), strip.Values<T>(others[1]), strip.Values<T>(origin));

        [SkipLocalsInit]
        public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
        {
            if (IsPair)
            {
                if (strip.HoldsBFloat16) Reduce(pass, strip.Start, Pair<BFloat16>(strip, _base, _others), sums, counts);
                else Reduce(pass, strip.Start, Pair<float>(strip, _base, _others), sums, counts);
                return;
            }
            Span<float> variances = stackalloc float[_cut is null ? 0 : strip.Length];
            Subtract(strip, variances);
            if (pass < Selecting)
            {
                if (!_ranks!.Reduce(pass, strip.Start, new PlainValues(variances), counts)) sums[0] = double.NaN;
                return;
            }
            for (int i = 0; i < _others.Length; i++)
            {
                var delta = strip[_others[i]];
                _cut?.Clear(strip.Start, variances, taken: false, delta);
                sums[i] += Sums.Dot(delta, delta);
            }
        }

        void Reduce<T>(int pass, long start, VectorPair<T> pair, Span<double> sums, Span<long> counts) where T : unmanaged
        {
            if (pass < Selecting)
            {
                if (!_ranks!.Reduce(pass, start, pair, counts)) sums[0] = double.NaN;
                return;
            }
            int split = _cut?.Split(start, pair) ?? 0;
            Add(pair.Slice(0, split).Squares(Selected(equal: true)), sums);
            Add(pair.Slice(split, pair.Length - split).Squares(Selected(equal: false)), sums);

            static void Add((double First, double Second) squares, Span<double> sums)
            {
                sums[0] += squares.First;
                sums[1] += squares.Second;
            }
        }

        KeptKeys Selected(bool equal) =>
            _cut is null ? KeptKeys.All : _cut.Limit(equal) is int.MaxValue ? KeptKeys.None : new(_cut.Limit(equal) + 1, int.MaxValue);

        void Apply<T>(long start, VectorPair<T> pair, Span<float> output) where T : unmanaged
        {
            int split = _cut?.Split(start, pair) ?? 0;
            pair.Slice(0, split).AddElected(Selected(equal: true), _scales[0], _scales[1], SmallestSum, output[..split]);
            pair.Slice(split, pair.Length - split).AddElected(Selected(equal: false), _scales[0], _scales[1], SmallestSum, output[split..]);
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
            if (IsPair)
            {
                if (strip.HoldsBFloat16) Apply(strip.Start, Pair<BFloat16>(strip, _base, _others), output);
                else Apply(strip.Start, Pair<float>(strip, _base, _others), output);
                return;
            }
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
