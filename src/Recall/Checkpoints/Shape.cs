using System.Collections.Immutable;

namespace Recall.Checkpoints;

/// <summary>The extent of a tensor in each dimension, outermost first, as PyTorch counts. A scalar has no dimensions and one element.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    readonly ImmutableArray<long> _dimensions;

    /// <summary>A shape of these extents.</summary>
    /// <exception cref="OverflowException">The number of elements does not fit 63 bits.</exception>
    public Shape(params ReadOnlySpan<long> dimensions)
    {
        _dimensions = [.. dimensions];
        long elements = 1;
        foreach (long extent in dimensions)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(extent);
            elements = checked(elements * Math.Max(extent, 1));
        }
        Elements = dimensions.Contains(0) ? 0 : elements;
    }

    /// <summary>Extents, outermost first.</summary>
    public ImmutableArray<long> Dimensions => _dimensions.IsDefault ? [] : _dimensions;

    /// <summary>Number of dimensions.</summary>
    public int Rank => Dimensions.Length;

    /// <summary>Number of elements.</summary>
    public long Elements { get; }

    /// <summary>Extent of one dimension; negative indices count from the end.</summary>
    public long this[int dimension] => Dimensions[dimension < 0 ? Rank + dimension : dimension];

    /// <summary>Elements of one row, that is of the last dimension; 1 for a scalar.</summary>
    public long RowLength => Rank == 0 ? 1 : this[-1];

    /// <inheritdoc/>
    public bool Equals(Shape other) => Dimensions.AsSpan().SequenceEqual(other.Dimensions.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, Elements);

    /// <summary>Same extents.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Different extents.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    /// <summary>As PyTorch prints it: <c>[576, 1536]</c>.</summary>
    public override string ToString() => $"[{string.Join(", ", Dimensions)}]";
}
