namespace Recall.Methods;

/// <summary>Which elements of one model's task vector are kept; the others become 0. State of one tensor.</summary>
abstract class Sparsifier
{
    /// <summary>Reduce passes that it needs before <see cref="Clear"/>, as far as is known.</summary>
    public virtual int Passes => 0;

    /// <summary>Every so many-th strip is seen in the first pass; 1: all.</summary>
    public virtual int Stride => 1;

    /// <summary>Counters of a pass.</summary>
    public virtual int Counts(int pass) => 0;

    /// <summary>The share of a strip in a pass: of the input, less the origin. False where the first whole pass meets a NaN or an infinity.</summary>
    public virtual bool Reduce(int pass, in Strip strip, int input, int origin, Span<long> counts) => true;

    /// <summary>Takes a pass's counters.</summary>
    public virtual void EndPass(int pass, ReadOnlySpan<long> counts) { }

    /// <summary>Sets to 0 what is not kept.</summary>
    public abstract void Clear(long start, Span<float> delta);
}
