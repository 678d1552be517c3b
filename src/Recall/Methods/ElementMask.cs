namespace Recall.Methods;

/// <summary>Which elements of one model's task vector are kept, by chance: the same ones whenever it is asked.</summary>
abstract class ElementMask
{
    /// <summary>True where it must be asked for whole rows.</summary>
    public virtual bool WholeRows => false;

    /// <summary>Draws.</summary>
    /// <param name="start">Index of the first element.</param>
    /// <param name="x">The model's values.</param>
    /// <param name="b">The base's, of the same length.</param>
    /// <param name="kept">Gets a bit an element, the lowest first: 1 where it is kept.</param>
    public abstract void Keep<T>(long start, ReadOnlySpan<T> x, ReadOnlySpan<T> b, Span<ulong> kept) where T : unmanaged;
}
