using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The passes of <see cref="TaskVectorMethod"/>: those of the sparsifiers, then one for the L1 norms where they are restored, then the sum.
/// </summary>
sealed class TaskVectorMerge(int baseIndex, ImmutableArray<TaskVectorMerge.Vector> vectors, bool electsSign, bool normalize, double factor) : TensorMerge
{
    const int Chunk = Checkpoints.TileReader.StripElements;

    /// <summary>One model's task vector.</summary>
    public sealed class Vector(int input, double weight, MagnitudeSparsifier? sparsifier, bool rescale)
    {
        public int Input { get; } = input;

        public MagnitudeSparsifier? Sparsifier { get; } = sparsifier;

        /// <summary>The weight; with the factor that restores the norm, after the passes.</summary>
        public double Scale { get; private set; } = weight;

        public double Weight { get; } = weight;

        public int Passes => Sparsifier is null ? 0 : Sparsifier.Passes + (rescale ? 1 : 0);

        public int Stride => Sparsifier?.Stride ?? 1;

        public int Counts(int pass) => Sparsifier is not null && pass >= 0 && pass < Sparsifier.Passes ? Sparsifier.Counts(pass) : 0;

        public void Reduce(int pass, in Strip strip, int origin, Span<double> sums, Span<long> counts)
        {
            if (pass < Sparsifier!.Passes)
            {
                if (!Sparsifier.Reduce(pass, strip, Input, origin, counts)) sums[0] = double.NaN;
                return;
            }
            var delta = strip[Input];
            TaskVectors.Subtract(strip[origin], delta);
            sums[0] += Sums.Magnitudes(delta);
            Sparsifier.Clear(strip.Start, delta);
            sums[1] += Sums.Magnitudes(delta);
        }

        public void EndPass(int pass, ReadOnlySpan<double> sums, ReadOnlySpan<long> counts)
        {
            if (pass < 0 || pass >= Passes) return;
            if (pass < Sparsifier!.Passes) Sparsifier.EndPass(pass, counts);
            else Scale = TaskVectorMethod.Restored(Weight, sums[0], sums[1]);
        }
    }

    readonly int[] _inputs = [.. vectors.Select(vector => vector.Input)];
    readonly float[] _weights = [.. vectors.Select(vector => (float)vector.Weight)];
    readonly float[] _scales = [.. vectors.Select(vector => (float)vector.Scale)];

    // Infinity minus infinity is NaN; an election of signs would drop it, but ranks show it.
    public override bool ShowsDamage { get; } = vectors.All(vector => vector.Sparsifier is null)
        ? !electsSign
        : vectors.All(vector => vector.Sparsifier is { Passes: > 0 });

    readonly bool _isPlain = !electsSign && vectors.All(vector => vector.Sparsifier is null);

    public override int Passes => vectors.IsEmpty ? 0 : vectors.Max(vector => vector.Passes + Delay(vector));

    public override int SampleStride { get; } = vectors.IsEmpty ? 1 : vectors.Max(vector => vector.Stride);

    internal override long KeptBytes => vectors.Sum(vector => vector.Sparsifier?.KeptBytes ?? 0);

    // A vector that needs no sample waits while the others take theirs.
    int Delay(Vector vector) => SampleStride > 1 && vector.Stride == 1 ? 1 : 0;

    public override (int Sums, int Counts) Reduction(int pass) => (2 * vectors.Length, vectors.Sum(vector => vector.Counts(pass - Delay(vector))));

    public override void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts)
    {
        for (int i = 0, first = 0; i < vectors.Length; i++)
        {
            int at = pass - Delay(vectors[i]), own = vectors[i].Counts(at);
            if (at >= 0 && at < vectors[i].Passes) vectors[i].Reduce(at, strip, baseIndex, sums.Slice(2 * i, 2), counts.Slice(first, own));
            first += own;
        }
    }

    public override void EndPass(int pass, Reduced reduced)
    {
        var own = vectors.Select(vector => vector.Counts(pass - Delay(vector))).ToArray();
        for (int i = 0, first = 0; i < vectors.Length; first += own[i], i++)
        {
            vectors[i].EndPass(pass - Delay(vectors[i]), reduced.Sums.AsSpan(2 * i, 2), reduced.Counts.AsSpan(first, own[i]));
            _scales[i] = (float)vectors[i].Scale;
        }
    }

    public override void Apply(in Strip strip, Span<float> output)
    {
        if (_isPlain)
        {
            if (strip.HoldsBFloat16) AddWhole<BFloat16>(strip, output);
            else AddWhole<float>(strip, output);
            return;
        }
        if (electsSign && vectors.Length is not (> 0 and <= KeptVectors.MostVoters)) Elect(strip, output);
        else if (strip.HoldsBFloat16) AddKept<BFloat16>(strip, output);
        else AddKept<float>(strip, output);
    }

    float Factor(Vector vector) => (float)(vector.Scale * factor);

    void AddWhole<T>(in Strip strip, Span<float> output) where T : unmanaged
    {
        var origin = strip.Values<T>(baseIndex);
        int done = 0;
        Lanes<T>.Widen(origin, output);
        for (; done + 2 <= vectors.Length; done += 2)
        {
            var (one, other) = (vectors[done], vectors[done + 1]);
            Elementwise.AddScaledDifferences(strip.Values<T>(one.Input), Factor(one), strip.Values<T>(other.Input), Factor(other), origin, output);
        }
        if (done < vectors.Length) Elementwise.AddScaledDifference(strip.Values<T>(vectors[done].Input), origin, Factor(vectors[done]), output);
    }

    // Of each vector the same range of magnitudes is kept from one position to the next: nearly always of the whole strip.
    void AddKept<T>(in Strip strip, Span<float> output) where T : unmanaged
    {
        Span<Voter> voters = stackalloc Voter[vectors.Length];
        for (int at = 0, end; at < output.Length; at = end)
        {
            end = output.Length;
            for (int i = 0; i < vectors.Length; i++)
            {
                var kept = KeptKeys.All;
                if (vectors[i].Sparsifier is { } sparsifier)
                    (kept, end) = sparsifier.Kept(strip.Start, strip.Differences<T>(vectors[i].Input, baseIndex), at, end);
                voters[i] = new Voter(_scales[i], _weights[i], kept);
            }
            if (electsSign) ElectKept<T>(strip, at..end, voters, output[at..end]);
            else AddKept<T>(strip, at..end, voters, output[at..end]);
        }
    }

    void AddKept<T>(in Strip strip, Range part, ReadOnlySpan<Voter> voters, Span<float> output) where T : unmanaged
    {
        var origin = strip.Values<T>(baseIndex)[part];
        Lanes<T>.Widen(origin, output);
        for (int i = 0; i < vectors.Length; i += 2)
        {
            bool two = i + 1 < vectors.Length;
            KeptVectors.AddScaled(strip.Values<T>(vectors[i].Input)[part], Factor(vectors[i]), voters[i].Kept,
                two ? strip.Values<T>(vectors[i + 1].Input)[part] : [], two ? Factor(vectors[i + 1]) : 0, two ? voters[i + 1].Kept : default, origin, output);
        }
    }

    void ElectKept<T>(in Strip strip, Range part, ReadOnlySpan<Voter> voters, Span<float> output) where T : unmanaged
    {
        int count = vectors.Length;
        KeptVectors.AddElected(strip.Values<T>(baseIndex)[part], strip.Values<T>(vectors[0].Input)[part],
            count > 1 ? strip.Values<T>(vectors[1].Input)[part] : [], count > 2 ? strip.Values<T>(vectors[2].Input)[part] : [],
            count > 3 ? strip.Values<T>(vectors[3].Input)[part] : [], voters, normalize, (float)factor, output);
    }

    // Of any number of vectors.
    [SkipLocalsInit]
    void Elect(in Strip strip, Span<float> output)
    {
        foreach (var vector in vectors)
        {
            var delta = strip[vector.Input];
            TaskVectors.Subtract(strip[baseIndex], delta);
            vector.Sparsifier?.Clear(strip.Start, delta);
        }
        Span<float> weights = stackalloc float[Chunk];
        weights = output.Length <= Chunk ? weights[..output.Length] : new float[output.Length];
        TaskVectors.Elect(strip.Inputs, _inputs, _scales, _scales, _weights, output, weights);
        if (!normalize) weights.Fill(1);
        TaskVectors.AddQuotient(strip[baseIndex], output, weights, (float)factor, output);
    }
}
