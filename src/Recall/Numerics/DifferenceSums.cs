using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>
/// Sums over two runs of values a and b from which their distance and angle follow: float32 values, float64 sums. Positions at which one
/// of the two is not a finite number are left out of the sums and, where the two are not equal, counted.
/// </summary>
public readonly record struct DifferenceSums
{
    /// <summary>Σ a².</summary>
    public double A { get; init; }

    /// <summary>Σ b².</summary>
    public double B { get; init; }

    /// <summary>Σ a·b.</summary>
    public double AB { get; init; }

    /// <summary>Σ (a − b)².</summary>
    public double Difference { get; init; }

    /// <summary>Largest |a − b|.</summary>
    public double Largest { get; init; }

    /// <summary>Positions at which a NaN or an infinity of one stands beside something else in the other.</summary>
    public long NotComparable { get; init; }

    /// <summary>‖a − b‖ / ‖a‖; 0 where the two are equal, null where a is 0 everywhere and b is not.</summary>
    public double? Relative => Difference == 0 ? 0 : A == 0 ? null : Math.Sqrt(Difference / A);

    /// <summary>a·b / (‖a‖ ‖b‖), 1 where the two are equal; null where one is 0 everywhere and the other is not.</summary>
    public double? Cosine => Difference == 0 ? 1 : A == 0 || B == 0 ? null : Math.Clamp(AB / Math.Sqrt(A) / Math.Sqrt(B), -1, 1);

    /// <summary>The sums over both runs of positions, one after the other.</summary>
    public static DifferenceSums operator +(DifferenceSums left, DifferenceSums right) => new()
    {
        A = left.A + right.A,
        B = left.B + right.B,
        AB = left.AB + right.AB,
        Difference = left.Difference + right.Difference,
        Largest = Math.Max(left.Largest, right.Largest),
        NotComparable = left.NotComparable + right.NotComparable,
    };

    /// <summary>The sums over these positions.</summary>
    public static DifferenceSums Of(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(a.Length, b.Length);
        // Four lanes of float64 on every machine: the order of the additions, and so the result, is the same everywhere.
        var zero = Vector256<double>.Zero;
        var (sumA, sumB, sumAB, sumD, largest) = (zero, zero, zero, zero, zero);
        var fours = MemoryMarshal.Cast<float, Vector128<float>>(a);
        var others = MemoryMarshal.Cast<float, Vector128<float>>(b);
        for (int i = 0; i < fours.Length; i++)
        {
            var x = Widen(fours[i]);
            var y = Widen(others[i]);
            var d = x - y;
            sumA += x * x;
            sumB += y * y;
            sumAB += x * y;
            sumD += d * d;
            largest = Vector256.Max(largest, Vector256.Abs(d));
        }
        var sums = new DifferenceSums
        {
            A = Sum(sumA),
            B = Sum(sumB),
            AB = Sum(sumAB),
            Difference = Sum(sumD),
            Largest = Math.Max(Math.Max(largest[0], largest[1]), Math.Max(largest[2], largest[3])),
        };
        // float32 values cannot overflow float64 sums: a sum that is not finite tells of a value that is not.
        if (!double.IsFinite(sums.A + sums.B)) return Each(a, b);
        return sums + Each(a[(fours.Length * 4)..], b[(fours.Length * 4)..]);
    }

    static double Sum(Vector256<double> lanes) => lanes[0] + lanes[1] + (lanes[2] + lanes[3]);

    static Vector256<double> Widen(Vector128<float> values)
    {
        var (lower, upper) = Vector128.Widen(values);
        return Vector256.Create(lower, upper);
    }

    static DifferenceSums Each(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sumA = 0, sumB = 0, sumAB = 0, sumD = 0, largest = 0;
        long notComparable = 0;
        for (int i = 0; i < a.Length; i++)
        {
            double x = a[i], y = b[i];
            if (!double.IsFinite(x) || !double.IsFinite(y))
            {
                if (!x.Equals(y)) notComparable++;
                continue;
            }
            sumA += x * x;
            sumB += y * y;
            sumAB += x * y;
            sumD += (x - y) * (x - y);
            largest = Math.Max(largest, Math.Abs(x - y));
        }
        return new DifferenceSums { A = sumA, B = sumB, AB = sumAB, Difference = sumD, Largest = largest, NotComparable = notComparable };
    }
}
