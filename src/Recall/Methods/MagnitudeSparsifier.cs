using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// Keeps the elements whose place in the order of magnitudes, from the smallest, is from <c>bottom</c> up to <c>top</c>; of equal ones the
/// lower index comes first where large ones are cut off, and where only the largest are kept it is they that stay.
/// </summary>
sealed class MagnitudeSparsifier
{
    readonly RankCut _dropped, _kept;
    readonly MagnitudeRanks _ranks;

    MagnitudeSparsifier(RankCut dropped, RankCut kept)
    {
        (_dropped, _kept) = (dropped, kept);
        _ranks = new MagnitudeRanks(places: true, dropped, kept);
    }

    /// <summary>The largest density · n, rounded down (TIES, arXiv 2306.01708); at least one of them unless the density is 0.</summary>
    public static MagnitudeSparsifier Largest(long elements, double density)
    {
        long keep = density <= 0 ? 0 : Math.Max(1, (long)(density * elements));
        return new(RankCut.Of(elements, largest: false, 0), RankCut.Of(elements, largest: true, keep));
    }

    /// <summary>
    /// density · n elements below the largest gamma · n (Model Breadcrumbs, arXiv 2312.06795); where the two exceed n, fewer large ones are
    /// dropped and no small ones.
    /// </summary>
    public static MagnitudeSparsifier Middle(long elements, double density, double gamma)
    {
        long keep = (long)(density * elements), top = (long)(gamma * elements), bottom = elements - keep - top;
        if (bottom < 0) (top, bottom) = (top + bottom, 0);
        return new(RankCut.Of(elements, largest: false, bottom), RankCut.Of(elements, largest: false, elements - top));
    }

    /// <summary>Why the gamma of a model cannot be, or null.</summary>
    public static string? CheckGamma(TensorInputs inputs)
    {
        foreach (int i in inputs.Others)
            if (inputs.PerModel["gamma"][i] is not (>= 0 and <= 1) and var gamma)
                return $"gamma of {inputs.ModelNames[i]} is {gamma:R}; it is the share of largest elements that is dropped, from 0 to 1";
        return null;
    }

    /// <summary>Reduce passes that it needs before <see cref="Kept"/> and <see cref="Clear"/>, as far as is known.</summary>
    public int Passes => _ranks.Passes;

    /// <summary>Bytes that are kept from pass to pass, about.</summary>
    public long KeptBytes => _ranks.KeptBytes;

    /// <summary>One strip in so many is seen in the first pass (<see cref="TensorMerge.SampleStride"/>); 1: all.</summary>
    public int Stride => _ranks.Stride;

    /// <summary>Counters of a pass.</summary>
    public int Counts(int pass) => _ranks.Counts(pass);

    /// <summary>The share of a strip in a pass: of the input, less the origin. False where the first whole pass meets a NaN or an infinity.</summary>
    public bool Reduce(int pass, in Strip strip, int input, int origin, Span<long> counts) => strip.HoldsBFloat16
        ? _ranks.Reduce(pass, strip.Start, strip.Differences<BFloat16>(input, origin), counts)
        : _ranks.Reduce(pass, strip.Start, strip.Differences<float>(input, origin), counts);

    /// <summary>Takes a pass's counters.</summary>
    public void EndPass(int pass, ReadOnlySpan<long> counts) => _ranks.EndPass(pass, counts);

    /// <summary>What is kept of a strip from a position on, and where that ends: at <paramref name="end"/> or before.</summary>
    public (KeptKeys Kept, int End) Kept<T>(long start, Differences<T> delta, int from, int end) where T : unmanaged
    {
        int dropped = _dropped.Split(start, delta), kept = _kept.Split(start, delta);
        if (from < dropped) end = Math.Min(end, dropped);
        if (from < kept) end = Math.Min(end, kept);
        long least = _dropped.Limit(from < dropped) + 1L, most = int.MaxValue, limit = _kept.Limit(from < kept);
        if (_kept.Largest) least = Math.Max(least, limit + 1);
        else most = limit;
        return (least <= most ? new KeptKeys((int)least, (int)most) : KeptKeys.None, end);
    }

    /// <summary>Sets to 0 what is not kept.</summary>
    public void Clear(long start, Span<float> delta)
    {
        if (_dropped.Take <= 0)
        {
            _kept.Clear(start, delta, taken: false, delta);
            return;
        }
        // Both cuts go by the magnitudes as they were.
        Span<float> magnitudes = stackalloc float[Checkpoints.TileReader.StripElements];
        magnitudes = magnitudes[..delta.Length];
        delta.CopyTo(magnitudes);
        _kept.Clear(start, magnitudes, taken: false, delta);
        _dropped.Clear(start, magnitudes, taken: true, delta);
    }
}
