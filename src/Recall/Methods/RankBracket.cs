using System.Numerics;
using System.Runtime.CompilerServices;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// A range of keys in which the edge of a cut is looked for: one pass counts the values below it and collects the keys within. Where so many are
/// expected that they would not find room, as of deltas of bfloat16 models, which have few values, keys of a zero lower half are counted instead,
/// strip by strip; what does not find room all the same is counted, and the edge is not found.
/// </summary>
sealed class RankBracket
{
    /// <summary>Most keys that are collected: 32 MiB.</summary>
    public const int MostKeys = 8 << 20;

    const int MostRoundBins = 8, DigitBits = 10;

    readonly int _low, _high;
    readonly bool _isNarrow;
    readonly int[] _keys;
    readonly (int First, int Count)[] _strips;
    readonly int[] _round;      // per strip and upper half
    readonly int _roundBins;
    int _used;

    /// <summary>Makes room for the keys.</summary>
    /// <param name="elements">Values of the tensor.</param>
    /// <param name="low">The least key of the range.</param>
    /// <param name="high">Its largest key.</param>
    /// <param name="expected">About how many values lie in the range.</param>
    /// <param name="places">True where equal keys must be told apart by their place.</param>
    /// <param name="mostKeys">Most keys that are collected.</param>
    public RankBracket(long elements, int low, int high, double expected, bool places, int mostKeys = MostKeys)
    {
        (_low, _high) = (low, high);
        int bins = (high >> 16) - (low >> 16) + 1;
        _roundBins = expected > mostKeys && bins <= MostRoundBins ? bins : 0;
        _isNarrow = _roundBins == 0 && expected < elements / 8.0;
        _keys = GC.AllocateUninitializedArray<int>((int)Math.Min(Math.Min(expected * 1.5 + 2 * TileReader.StripElements, mostKeys), elements));
        int strips = checked((int)((elements + TileReader.StripElements - 1) / TileReader.StripElements));
        _strips = places ? new (int, int)[strips] : [];
        _round = new int[(long)strips * _roundBins];
    }

    /// <summary>
    /// Collects from a strip; returns how many of its values lie below the range, how many are 0 where they are counted, and whether all are finite.
    /// </summary>
    [SkipLocalsInit]
    public (int Below, int Zeros, bool Finite) Collect<TValues>(long start, TValues values, bool countsZeros)
        where TValues : IValues<TValues>, allows ref struct
    {
        Span<int> keys = stackalloc int[TileReader.StripElements];
        int below = 0, zeros = 0;
        bool finite = true;
        for (int first = 0; first < values.Length; first += keys.Length)
        {
            var part = values.Slice(first, Math.Min(keys.Length, values.Length - first));
            int strip = (int)((start + first) / TileReader.StripElements);
            var (less, within, none, numbers) = _isNarrow
                ? Magnitudes.CollectFew(part, _low, _high, countsZeros, keys)
                : Magnitudes.Collect(part, _low, _high, round: _roundBins == 0, keys);
            (below, zeros, finite) = (below + less, zeros + none, finite && numbers);
            for (int bin = 0; bin < _roundBins; bin++)
            {
                int equal = Magnitudes.CountEqual(part, (_low >> 16) + bin << 16);
                if (equal > 0) Interlocked.Add(ref _round[(long)strip * _roundBins + bin], equal);
            }
            if (within == 0 || Volatile.Read(ref _used) > _keys.Length) continue;
            int end = Interlocked.Add(ref _used, within);
            if (end > _keys.Length) continue;
            keys[..within].CopyTo(_keys.AsSpan(end - within));
            if (_strips.Length > 0) _strips[strip] = (end - within, within);
        }
        return (below, zeros, finite);
    }

    /// <summary>Finds the edge of a cut, if it lies in the range and all of the range found room.</summary>
    /// <param name="cut">The cut.</param>
    /// <param name="below">Values below the range.</param>
    public void Find(RankCut cut, long below)
    {
        if (_used > _keys.Length) return;
        Span<long> round = stackalloc long[_roundBins];
        for (int at = 0; at < _round.Length; at += _roundBins)
            for (int bin = 0; bin < _roundBins; bin++) round[bin] += _round[at + bin];
        long place = cut.Place - below, within = _used;
        foreach (long count in round) within += count;
        if (place < 0 || place >= within) return;

        // Digit by digit from the highest: bins of those keys whose higher digits are the edge's.
        Span<long> bins = stackalloc long[1 << DigitBits];
        int low = _low;
        for (int shift = Math.Max(32 - BitOperations.LeadingZeroCount((uint)(_high - _low)) - DigitBits, 0); ; shift = Math.Max(shift - DigitBits, 0))
        {
            bins.Clear();
            Magnitudes.CountDigits(_keys.AsSpan(0, _used), low, shift, bins);
            for (int bin = 0; bin < _roundBins; bin++)
            {
                uint digit = (uint)(((_low >> 16) + bin << 16) - low) >> shift;
                if (digit < bins.Length) bins[(int)digit] += round[bin];
            }
            int found = 0;
            for (; place >= bins[found]; found++) place -= bins[found];
            low += found << shift;
            if (shift > 0) continue;
            cut.Find(low, bins[found], place, _strips.Length == 0 ? null : strip => Equal(strip, low));
            return;
        }
    }

    int Equal(int strip, int key)
    {
        if (_roundBins > 0 && (key & 0xFFFF) == 0) return _round[(long)strip * _roundBins + ((key - _low) >> 16)];
        var (first, count) = _strips[strip];
        return _keys.AsSpan(first, count).Count(key);
    }
}
