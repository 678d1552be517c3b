using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The exact cut of one tensor's values by magnitude: the largest (or the smallest) <see cref="Take"/> of them are taken, of equal ones those
/// with the lowest index. Found without a sort: see <see cref="MagnitudeRanks"/>.
/// </summary>
/// <param name="elements">Values of the tensor.</param>
/// <param name="largest">True: the largest are taken; false: the smallest.</param>
sealed class RankCut(long elements, bool largest)
{
    int _high;              // upper half of the edge's key
    long _rest;             // of the values with that upper half (later: with that key), how many are taken
    int[]? _equalOfStrip;
    int _cutStrip = -1;     // the strip in which equal values are partly taken

    /// <summary>How many values are taken.</summary>
    public long Take { get; private set; }

    /// <summary>As the number of values to take where it is known at once.</summary>
    public static RankCut Of(long elements, bool largest, long take) => new(elements, largest) { Take = take };

    /// <summary>The share of the values that are not 0 which is taken, rounded down; NaN where <see cref="Take"/> is known at once.</summary>
    public double OfNonZero { get; private init; } = double.NaN;

    /// <summary>True where the number of zeros must be known.</summary>
    public bool CountsZeros => !double.IsNaN(OfNonZero);

    /// <summary>A cut of the largest values: so large a share of those that are not 0.</summary>
    public static RankCut LargestOfNonZero(long elements, double share) =>
        new(elements, largest: true) { Take = (long)(elements * Math.Max(share, 0)), OfNonZero = share };

    /// <summary>Values of the tensor.</summary>
    public long Elements => elements;

    /// <summary>True where the largest are taken.</summary>
    public bool Largest => largest;

    /// <summary>The place, from 0, of the last value that is taken in the order of magnitudes, from the smallest.</summary>
    public long Place => Math.Clamp(largest ? elements - Take : Take - 1, 0, Math.Max(elements - 1, 0));

    /// <summary>The key of the last value that is taken.</summary>
    public int Edge { get; private set; }

    /// <summary>True where all or none are taken.</summary>
    public bool IsTrivial => Take <= 0 || Take >= elements;

    /// <summary>True where nothing is left to find: the edge is known, and with it the place of the last of its equals.</summary>
    public bool IsFound { get; private set; }

    /// <summary>True while equal values must be told apart by their place.</summary>
    public bool NeedsPlaces { get; private set; }

    /// <summary>Takes the number of zeros.</summary>
    public void SetZeros(long zeros)
    {
        if (CountsZeros) Take = (long)((elements - zeros) * OfNonZero);
    }

    /// <summary>Takes about how many zeros there are: enough to look for the edge.</summary>
    public void EstimateZeros(double zeros)
    {
        if (CountsZeros) Take = Math.Clamp((long)((elements - zeros) * OfNonZero), 1, elements - 1);
    }

    /// <summary>The edge is found: how many values have its key, how many of them come before its place, and how many there are in each strip.</summary>
    public void Find(int edge, long equal, long before, Func<int, int>? equalOfStrip)
    {
        (Edge, _rest, IsFound) = (edge, largest ? equal - before : before + 1, true);
        if (_rest == equal || equalOfStrip is null) return;
        for (_cutStrip = 0; equalOfStrip(_cutStrip) is var here && _rest >= here; _cutStrip++) _rest -= here;
    }

    public void EndHigh(ReadOnlySpan<long> bins, bool places)
    {
        (_high, _rest) = Walk(bins, Take);
        if (places) _equalOfStrip = new int[(elements + TileReader.StripElements - 1) / TileReader.StripElements];
    }

    /// <summary>
    /// The second histogram; equal values are counted already where the edge turns out to be a number of few bits, as in deltas of bfloat16 models.
    /// </summary>
    public void CountLow<TValues>(long start, TValues values, Span<long> bins, bool places) where TValues : IValues<TValues>, allows ref struct
    {
        Magnitudes.CountLow(values, _high, bins);
        if (places) CountEqual(start, values, _high << 16);
    }

    public void EndLow(ReadOnlySpan<long> bins)
    {
        (int low, _rest) = Walk(bins, _rest);
        Edge = _high << 16 | low;
        if (_rest == bins[low]) _equalOfStrip = null;
        if (_equalOfStrip is null) IsFound = true;
        else if (low == 0) EndPlaces();
        else NeedsPlaces = true;
    }

    public void CountPlaces<TValues>(long start, TValues values) where TValues : IValues<TValues>, allows ref struct => CountEqual(start, values, Edge);

    public void EndPlaces()
    {
        (NeedsPlaces, IsFound) = (false, true);
        for (_cutStrip = 0; _rest >= _equalOfStrip![_cutStrip]; _cutStrip++) _rest -= _equalOfStrip[_cutStrip];
        _equalOfStrip = null;
    }

    /// <summary>The first values of a strip, of whose equals to the edge all are taken; of those behind them none is.</summary>
    public int Split<TValues>(long start, TValues values) where TValues : IValues<TValues>, allows ref struct
    {
        long strip = start / TileReader.StripElements;
        return IsTrivial || _cutStrip < 0 || strip < _cutStrip ? values.Length : strip > _cutStrip ? 0 : Magnitudes.After(values, Edge, _rest);
    }

    /// <summary>Taken are the keys up to it, or, of a cut of the largest, those above it.</summary>
    /// <param name="equal">Whether those are that equal the edge.</param>
    public int Limit(bool equal) => IsTrivial ? (Take > 0 == largest ? -1 : int.MaxValue) : equal == largest ? Edge - 1 : Edge;

    /// <summary>Sets to 0 the targets whose value is taken, or those whose value is not.</summary>
    public void Clear(long start, ReadOnlySpan<float> values, bool taken, Span<float> targets)
    {
        int split = Split(start, new PlainValues(values));
        Magnitudes.Clear(values[..split], Limit(equal: true), taken == largest, targets[..split]);
        Magnitudes.Clear(values[split..], Limit(equal: false), taken == largest, targets[split..]);
    }

    // Each strip is one thread's: no two write the same element.
    void CountEqual<TValues>(long start, TValues values, int key) where TValues : IValues<TValues>, allows ref struct =>
        _equalOfStrip![start / TileReader.StripElements] = Magnitudes.CountEqual(values, key);

    /// <summary>The bin in which the count is reached, and how many of its values belong to it.</summary>
    (int Bin, long Count) Walk(ReadOnlySpan<long> bins, long count)
    {
        int bin = largest ? bins.Length - 1 : 0;
        for (; count > bins[bin]; bin += largest ? -1 : 1) count -= bins[bin];
        return (bin, count);
    }
}
