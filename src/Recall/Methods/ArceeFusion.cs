using System.Buffers;
using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The base with the other model's most important changes: importance I = |x − b| · KL(softmax(x) + 1e-8 ‖ softmax(b) + 1e-8), the divergence
/// over each row (run of the last dimension); y = x where I is at least median + 1.5 (Q3 − Q1) of the tensor's importances, else b. Quantile q
/// of n values is the one at place ⌊q (n − 1)⌋ of their order (https://www.arcee.ai). 16-bit models give float32 unless the config says
/// otherwise, as in mergekit.
/// </summary>
public sealed class ArceeFusion : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "arcee_fusion";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Arcee Fusion", "https://www.arcee.ai");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override ShapeRule Shapes => ShapeRule.CropEmbeddings;

    /// <inheritdoc/>
    public override DType ResultType(ImmutableArray<DType> inputs, int baseIndex) => DTypes.Promote(base.ResultType(inputs, baseIndex), DType.F32);

    /// <inheritdoc/>
    public override string? Check(TensorInputs inputs) => inputs.Count == 2 || (inputs.Count == 1 && inputs.IsOptional)
        ? null
        : $"takes exactly two models, one of them the base; here are {inputs.Count}: {string.Join(", ", inputs.ModelNames)}";

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs) => inputs.Count == 1
        ? new CopyMerge(0)
        : new Merge(inputs.BaseIndex, inputs.Shape.Elements, checked((int)Math.Max(inputs.Shape.RowLength, 1)));

    sealed class Merge : TensorMerge
    {
        readonly int _base, _row;
        readonly long _elements;
        readonly RankCut _first, _median, _third;
        readonly MagnitudeRanks _ranks;
        float[] _divergences = [];
        int _limit = -1;

        public Merge(int baseIndex, long elements, int row)
        {
            (_base, _elements, _row) = (baseIndex, elements, row);
            (_first, _median, _third) = (Quantile(0.25), Quantile(0.5), Quantile(0.75));
            _ranks = new MagnitudeRanks(places: false, _first, _median, _third);
        }

        RankCut Quantile(double share) => RankCut.Of(_elements, largest: false, (long)(share * (_elements - 1)) + 1);

        public override bool WholeRows => true;

        public override int Passes => _ranks.Passes;

        public override int SampleStride => _ranks.Stride;

        internal override long KeptBytes => _ranks.KeptBytes + sizeof(float) * (_elements / _row);

        public override (int Sums, int Counts) Reduction(int pass)
        {
            if (_divergences.Length == 0) Array.Fill(_divergences = new float[_elements / _row], float.NaN);
            return (0, _ranks.Counts(pass));
        }

        public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
        {
            if (strip.HoldsBFloat16) Reduce<BFloat16>(pass, strip, counts);
            else Reduce<float>(pass, strip, counts);
        }

        void Reduce<T>(int pass, in Strip strip, Span<long> counts) where T : unmanaged
        {
            ReadOnlySpan<T> origin = strip.Values<T>(_base), other = strip.Values<T>(1 - _base);
            float[] rented = ArrayPool<float>.Shared.Rent(strip.Length);
            var importances = rented.AsSpan(0, strip.Length);
            for (int at = 0; at < strip.Length; at += _row)
            {
                ReadOnlySpan<T> from = origin.Slice(at, _row), to = other.Slice(at, _row);
                ref float divergence = ref _divergences[(strip.Start + at) / _row];
                if (float.IsNaN(divergence)) divergence = (float)Softmax.Divergence(to, from);
                TaskVectors.ScaledDifference(to, from, divergence, importances.Slice(at, _row));
            }
            _ranks.Reduce(pass, strip.Start, new PlainValues(importances), counts);
            ArrayPool<float>.Shared.Return(rented);
        }

        public override void EndPass(int pass, Reduced reduced)
        {
            _ranks.EndPass(pass, reduced.Counts);
            if (pass < Passes - 1) return;
            double threshold = Value(_median) + 1.5 * (Value(_third) - Value(_first));
            float limit = (float)threshold;
            if (limit < threshold) limit = MathF.BitIncrement(limit);
            _limit = Magnitudes.Key(limit) - 1;
        }

        public override void Apply(in Strip strip, Span<float> output)
        {
            if (strip.HoldsBFloat16) Apply<BFloat16>(strip, output);
            else Apply<float>(strip, output);
        }

        void Apply<T>(in Strip strip, Span<float> output) where T : unmanaged
        {
            ReadOnlySpan<T> origin = strip.Values<T>(_base), other = strip.Values<T>(1 - _base);
            for (int at = 0; at < output.Length; at += _row)
            {
                float divergence = _divergences.Length == 0 ? 0 : _divergences[(strip.Start + at) / _row];
                TaskVectors.AddImportant(origin.Slice(at, _row), other.Slice(at, _row), divergence, _limit, output.Slice(at, _row));
            }
        }

        static double Value(RankCut cut) => BitConverter.Int32BitsToSingle(cut.Edge);
    }
}
