using System.Numerics;
using System.Runtime.InteropServices;

namespace Recall.Numerics;

/// <summary>One row of a product of two thin matrices, added to a row of a weight.</summary>
public static class LowRank
{
    /// <summary>
    /// y[c] += (Σ_k left[k·leftStride] · right[k·rightStride + c]) · scale, for every c of <paramref name="destination"/>; k runs upwards
    /// from a sum of 0, and each product and each sum is rounded to float32. So every element has the same bits whatever piece of the row
    /// is asked for.
    /// </summary>
    /// <param name="left">The row of the left matrix, from its first element on.</param>
    /// <param name="leftStride">Distance of neighbours in that row.</param>
    /// <param name="right">The right matrix, from the first column asked for on.</param>
    /// <param name="rightStride">Distance of neighbours in a column of the right matrix.</param>
    /// <param name="rank">Length of the sum.</param>
    /// <param name="scale">What the sum is multiplied by.</param>
    /// <param name="destination">y.</param>
    public static void AddRow(
        ReadOnlySpan<float> left, int leftStride, ReadOnlySpan<float> right, int rightStride, int rank, float scale,
        Span<float> destination)
    {
        if (rank == 0 || destination.Length == 0) return;
        // Bounds are checked once, here; the loops below run on references.
        _ = left[(rank - 1) * leftStride];
        _ = right.Slice((rank - 1) * rightStride, destination.Length);
        ref float l = ref MemoryMarshal.GetReference(left), r = ref MemoryMarshal.GetReference(right);
        ref float y = ref MemoryMarshal.GetReference(destination);
        int width = Vector<float>.Count, c = 0;
        for (; c <= destination.Length - 4 * width; c += 4 * width)
        {
            Vector<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (int k = 0; k < rank; k++)
            {
                var factor = new Vector<float>(At(ref l, k * leftStride));
                ref float row = ref At(ref r, k * rightStride + c);
                sum0 += factor * Vector.LoadUnsafe(ref row);
                sum1 += factor * Vector.LoadUnsafe(ref row, (nuint)width);
                sum2 += factor * Vector.LoadUnsafe(ref row, (nuint)(2 * width));
                sum3 += factor * Vector.LoadUnsafe(ref row, (nuint)(3 * width));
            }
            ref float target = ref At(ref y, c);
            (Vector.LoadUnsafe(ref target) + sum0 * scale).StoreUnsafe(ref target);
            (Vector.LoadUnsafe(ref target, (nuint)width) + sum1 * scale).StoreUnsafe(ref target, (nuint)width);
            (Vector.LoadUnsafe(ref target, (nuint)(2 * width)) + sum2 * scale).StoreUnsafe(ref target, (nuint)(2 * width));
            (Vector.LoadUnsafe(ref target, (nuint)(3 * width)) + sum3 * scale).StoreUnsafe(ref target, (nuint)(3 * width));
        }
        for (; c <= destination.Length - width; c += width)
        {
            Vector<float> sum = default;
            for (int k = 0; k < rank; k++)
                sum += new Vector<float>(At(ref l, k * leftStride)) * Vector.LoadUnsafe(ref At(ref r, k * rightStride + c));
            ref float target = ref At(ref y, c);
            (Vector.LoadUnsafe(ref target) + sum * scale).StoreUnsafe(ref target);
        }
        for (; c < destination.Length; c++)
        {
            float sum = 0;
            for (int k = 0; k < rank; k++) sum += At(ref l, k * leftStride) * At(ref r, k * rightStride + c);
            At(ref y, c) += sum * scale;
        }
    }

    static ref float At(ref float first, int index) => ref System.Runtime.CompilerServices.Unsafe.Add(ref first, index);
}
