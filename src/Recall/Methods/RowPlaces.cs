using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Places of a row's elements in the order of magnitudes, from the smallest, of equal ones the lower index first; without a sort: a histogram
/// bounds each place, and only an element whose bin holds the place that is asked for is counted out. Bins are 256 an octave, below the largest.
/// </summary>
readonly ref struct RowPlaces
{
    const int Shift = 15;

    /// <summary>Number of bins: eight octaves.</summary>
    public const int Bins = 2048;

    readonly ReadOnlySpan<float> _magnitudes;
    readonly Span<int> _below;
    readonly int _lowest;

    /// <summary>Counts a row.</summary>
    /// <param name="magnitudes">The row.</param>
    /// <param name="below">Room for the counts: <see cref="Bins"/> + 1.</param>
    public RowPlaces(ReadOnlySpan<float> magnitudes, Span<int> below)
    {
        _magnitudes = magnitudes;
        _below = below;
        _lowest = (Magnitudes.Key(Elementwise.MaxMagnitude(magnitudes)) >> Shift) - (Bins - 1);
        below.Clear();
        foreach (float value in magnitudes) below[Bin(Magnitudes.Key(value)) + 1]++;
        for (int bin = 0; bin < Bins; bin++) below[bin + 1] += below[bin];
    }

    /// <summary>Whether the place of element i, from 0, is beyond a number; true of zeros, whose place does not matter.</summary>
    public bool IsBeyond(int i, double place)
    {
        int key = Magnitudes.Key(_magnitudes[i]), bin = Bin(key);
        bool beyond = _below[bin] > place;
        if (beyond || _below[bin + 1] - 1 <= place || key == 0) return beyond | key == 0;
        return Magnitudes.CountBelow(_magnitudes, key) + Magnitudes.CountEqual(_magnitudes[..i], key) > place;
    }

    int Bin(int key) => Math.Max((key >> Shift) - _lowest, 0);
}
