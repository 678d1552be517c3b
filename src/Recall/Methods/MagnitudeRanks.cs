using System.Buffers;
using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Finds cuts of one tensor's values by magnitude, exactly, nearly always in one whole pass: a sample (runs of values from some of the strips)
/// tells between which two keys each edge should lie; the pass counts what is below and collects what is between (<see cref="RankBracket"/>).
/// Where that fails, as where rows differ much, two or three more passes find the edge: a histogram of the upper halves of the float bits, one of the
/// lower halves beside the edge's upper half, and one for the places of values equal to the edge. Memory: what is collected, and two counts a strip.
/// </summary>
sealed class MagnitudeRanks
{
    const int Sample = 0, Bracket = 1, High = 2, Low = 3, Places = 4;

    // Runs of so many neighbours are sampled, so many from a strip.
    const int Run = 128, RunsOfStrip = 4;

    const int WantedRuns = 512, LeastStride = 8, LargestStride = 32;

    // Of so small a tensor all is collected, without a sample.
    const int AllCollected = 1 << 16;

    readonly ImmutableArray<RankCut> _cuts;
    readonly bool _places;
    readonly int _mostKeys;
    readonly long _elements;
    readonly int _first;
    readonly RankBracket?[] _brackets;
    float[]? _sample;
    int _sampled, _ended;

    /// <param name="places">False where only the values at the edges are wanted.</param>
    /// <param name="cuts">The cuts; those that are trivial cost nothing.</param>
    public MagnitudeRanks(bool places, params ImmutableArray<RankCut> cuts) : this(places, RankBracket.MostKeys, cuts) { }

    internal MagnitudeRanks(bool places, int mostKeys, ImmutableArray<RankCut> cuts)
    {
        (_cuts, _places, _mostKeys) = (cuts, places, mostKeys);
        (_elements, _brackets) = (cuts[0].Elements, new RankBracket?[cuts.Length]);
        _first = _elements <= AllCollected ? Bracket : Sample;
        long strips = _elements / TileReader.StripElements;
        Stride = _first == Sample && cuts.Any(IsWanted) ? (int)Math.Clamp(strips * RunsOfStrip / WantedRuns, LeastStride, LargestStride) : 1;
    }

    /// <summary>One strip in so many is seen in the first pass (<see cref="TensorMerge.SampleStride"/>); 1: all.</summary>
    public int Stride { get; }

    /// <summary>About how many bytes of keys are kept at most, where rows are alike: those of a sixteenth of the values, for each cut.</summary>
    public long KeptBytes => sizeof(int) * _cuts.Count(IsWanted) * Math.Min(_mostKeys, _first == Sample ? _elements / 16 : _elements);

    /// <summary>Reduce passes, as far as is known.</summary>
    public int Passes
    {
        get
        {
            if (!_cuts.Any(IsWanted)) return _ended;
            int last = _ended + _first <= Bracket ? Bracket : _cuts.Any(cut => cut.NeedsPlaces) ? Places : Low;
            return last + 1 - _first;
        }
    }

    /// <summary>Counters of a pass.</summary>
    public int Counts(int pass) => (pass + _first) switch
    {
        Bracket => 2 * _cuts.Length,
        High => Magnitudes.HighBins,
        Low => Magnitudes.LowBins * _cuts.Length,
        _ => 0,
    };

    /// <summary>
    /// A strip's share in a pass: strips have <see cref="TileReader.StripElements"/> values where places are wanted. False where the first whole pass
    /// meets a NaN or an infinity.
    /// </summary>
    public bool Reduce<TValues>(int pass, long start, TValues values, Span<long> counts) where TValues : IValues<TValues>, allows ref struct
    {
        int stage = pass + _first;
        if (stage == Sample) AddToSample(start, values);
        if (stage == High) Magnitudes.CountHigh(values, counts);
        bool finite = true;
        for (int i = 0; i < _cuts.Length; i++)
        {
            if (stage is Sample or High || !IsWanted(_cuts[i])) continue;
            if (stage == Bracket)
            {
                (int below, int zeros, finite) = BracketOf(i).Collect(start, values, _cuts[i].CountsZeros);
                counts[2 * i] += below;
                counts[2 * i + 1] += zeros;
            }
            else if (stage == Low) _cuts[i].CountLow(start, values, counts.Slice(i * Magnitudes.LowBins, Magnitudes.LowBins), _places);
            else if (_cuts[i].NeedsPlaces) _cuts[i].CountPlaces(start, values);
        }
        return finite;
    }

    /// <summary>Takes a pass's counters.</summary>
    public void EndPass(int pass, ReadOnlySpan<long> counts)
    {
        int stage = pass + _first;
        _ended = pass + 1;
        if (stage == Sample) EndSample();
        for (int i = 0; i < _cuts.Length; i++)
        {
            if (!IsWanted(_cuts[i])) continue;
            if (stage == Bracket)
            {
                _cuts[i].SetZeros(counts[2 * i + 1]);
                if (IsWanted(_cuts[i])) BracketOf(i).Find(_cuts[i], counts[2 * i]);
            }
            else if (stage == High) _cuts[i].EndHigh(counts, _places);
            else if (stage == Low) _cuts[i].EndLow(counts.Slice(i * Magnitudes.LowBins, Magnitudes.LowBins));
            else if (_cuts[i].NeedsPlaces) _cuts[i].EndPlaces();
        }
        if (stage == Bracket) Array.Clear(_brackets);
    }

    static bool IsWanted(RankCut cut) => !cut.IsTrivial && !cut.IsFound;

    // Without a sample all keys are in the bracket.
    RankBracket BracketOf(int cut) =>
        LazyInitializer.EnsureInitialized(ref _brackets[cut], () => new RankBracket(_elements, 0, int.MaxValue, _elements, _places, _mostKeys));

    // From each part of a strip a run, now here, now there, so that no column of a matrix is missed.
    void AddToSample<TValues>(long start, TValues values) where TValues : IValues<TValues>, allows ref struct
    {
        float[] sample = LazyInitializer.EnsureInitialized(
            ref _sample, () => new float[(_elements / TileReader.StripElements / Stride + 8) * 2 * RunsOfStrip * Run]);
        int part = (values.Length + RunsOfStrip - 1) / RunsOfStrip;
        for (int first = 0; first < values.Length; first += part)
        {
            int length = Math.Min(part, values.Length - first), count = Math.Min(Run, length);
            int at = first + (int)((start + first) / part * 2654435761 % (length - count + 1)), end = Interlocked.Add(ref _sampled, count);
            for (int i = 0; i < count && end <= sample.Length; i++) sample[end - count + i] = values.One((nuint)(at + i));
        }
    }

    void EndSample()
    {
        var sample = _sample.AsSpan(0, Math.Min(_sampled, _sample!.Length));
        long[] shared = ArrayPool<long>.Shared.Rent(Magnitudes.HighBins);
        var bins = shared.AsSpan(0, Magnitudes.HighBins);
        bins.Clear();
        Magnitudes.CountHigh(new PlainValues(sample), bins);
        double scale = _elements / (double)sample.Length;
        foreach (var cut in _cuts) cut.EstimateZeros(Magnitudes.CountEqual(new PlainValues(sample), 0) * scale);
        for (int i = 0; i < _cuts.Length; i++)
        {
            if (!IsWanted(_cuts[i])) continue;
            // Three standard deviations of what so many runs miss a place by, where rows differ a little.
            double share = (_cuts[i].Place + 0.5) / _elements, miss = 0.4 * Math.Sqrt(share * (1 - share) * Run / sample.Length);
            var (low, below, _) = Bin(bins, (share - miss) * sample.Length);
            var (high, _, upTo) = Bin(bins, (share + miss) * sample.Length);
            _brackets[i] = new RankBracket(_elements, low << 16, high << 16 | 0xFFFF, (upTo - below) * scale, _places, _mostKeys);
        }
        ArrayPool<long>.Shared.Return(shared);
        _sample = null;
    }

    // The bin that holds a place, the values before it and those up to its end; the first or the last bin where the place is outside.
    static (int Bin, long Below, long UpTo) Bin(ReadOnlySpan<long> bins, double place)
    {
        long below = 0;
        int bin = 0;
        for (; bin < bins.Length - 1 && below + bins[bin] <= place; bin++) below += bins[bin];
        return (bin, below, below + bins[bin]);
    }
}
