using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The dot products of some vectors with one another, in float64: lengths, angles and any combination of the vectors follow from them.
/// </summary>
/// <param name="count">Number of vectors.</param>
/// <param name="products">The upper triangle, row after row.</param>
sealed class Gram(int count, double[] products)
{
    /// <summary>Number of vectors.</summary>
    public int Count => count;

    /// <summary>The dot product of two vectors.</summary>
    public double this[int i, int j] => products[Index(count, Math.Min(i, j), Math.Max(i, j))];

    /// <summary>The length of a vector.</summary>
    public double Length(int i) => Math.Sqrt(Math.Max(this[i, i], 0));

    /// <summary>The dot product of two combinations of the vectors.</summary>
    public double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count; j++) sum += left[i] * right[j] * this[i, j];
        return sum;
    }

    /// <summary>Products of so many vectors.</summary>
    public static int Products(int count) => count * (count + 1) / 2;

    /// <summary>Adds a strip's share to the products.</summary>
    /// <param name="strip">The strip.</param>
    /// <param name="inputs">Which inputs are the vectors.</param>
    /// <param name="first">Where the range of the strip begins.</param>
    /// <param name="length">Elements of the range.</param>
    /// <param name="products">The upper triangle.</param>
    public static void Add(in Strip strip, ImmutableArray<int> inputs, int first, int length, Span<double> products)
    {
        if (inputs.Length == 2)
        {
            var (xx, yy, xy) = Sums.Products(strip[inputs[0]].Slice(first, length), strip[inputs[1]].Slice(first, length));
            (products[0], products[1], products[2]) = (products[0] + xx, products[1] + xy, products[2] + yy);
            return;
        }
        int at = 0;
        for (int i = 0; i < inputs.Length; i++)
            for (int j = i; j < inputs.Length; j++)
                products[at++] += Sums.Dot(strip[inputs[i]].Slice(first, length), strip[inputs[j]].Slice(first, length));
    }

    static int Index(int count, int i, int j) => i * count - i * (i - 1) / 2 + j - i;
}
