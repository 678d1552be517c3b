using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Finds cuts of one tensor's values by magnitude in two reduce passes, or three where values equal to the edge must be told apart by their
/// place: histogram of the upper halves of the float bits, then of the lower halves below the edge's upper half. Memory: bins, and one count
/// a strip.
/// </summary>
/// <param name="places">False where only the values at the edges are wanted.</param>
/// <param name="cuts">The cuts; those that are trivial cost nothing.</param>
sealed class MagnitudeRanks(bool places, params ImmutableArray<RankCut> cuts)
{
    int _ended;

    /// <summary>Reduce passes, as far as is known.</summary>
    public int Passes => cuts.Any(cut => cut.NeedsPlaces) ? 3 : _ended < 2 && cuts.Any(cut => !cut.IsTrivial) ? 2 : _ended;

    /// <summary>Counters of a pass.</summary>
    public int Counts(int pass) => pass switch { 0 => Magnitudes.HighBins, 1 => Magnitudes.LowBins * cuts.Length, _ => 0 };

    /// <summary>A strip's share in a pass: strips have <see cref="Checkpoints.TileReader.StripElements"/> values where places are wanted.</summary>
    public void Reduce(int pass, long start, ReadOnlySpan<float> values, Span<long> counts)
    {
        if (pass == 0)
        {
            Magnitudes.CountHigh(values, counts);
            return;
        }
        for (int i = 0; i < cuts.Length; i++)
        {
            if (cuts[i].IsTrivial) continue;
            if (pass == 1) cuts[i].CountLow(start, values, counts.Slice(i * Magnitudes.LowBins, Magnitudes.LowBins), places);
            else if (cuts[i].NeedsPlaces) cuts[i].CountPlaces(start, values);
        }
    }

    /// <summary>Takes a pass's counters.</summary>
    public void EndPass(int pass, ReadOnlySpan<long> counts)
    {
        _ended = pass + 1;
        for (int i = 0; i < cuts.Length; i++)
        {
            if (cuts[i].IsTrivial) continue;
            if (pass == 0) cuts[i].EndHigh(counts, places);
            else if (pass == 1) cuts[i].EndLow(counts.Slice(i * Magnitudes.LowBins, Magnitudes.LowBins));
            else if (cuts[i].NeedsPlaces) cuts[i].EndPlaces();
        }
    }
}
