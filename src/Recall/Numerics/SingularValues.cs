namespace Recall.Numerics;

/// <summary>Singular values of a matrix of few rows.</summary>
static class SingularValues
{
    const int MostSweeps = 30;

    /// <summary>
    /// The largest singular value divided by the smallest; infinity for rows that depend on each other. By M. Hestenes' one-sided rotations
    /// (J. SIAM 6, 1958): pairs of rows are turned until all are orthogonal; their lengths are the singular values.
    /// </summary>
    /// <param name="values">[rows, columns], row-major, at least as many columns as rows.</param>
    /// <param name="rows">Number of rows.</param>
    public static double ConditionNumber(ReadOnlySpan<float> values, int rows)
    {
        int columns = values.Length / rows;
        var matrix = new double[values.Length];
        for (int i = 0; i < matrix.Length; i++) matrix[i] = values[i];
        bool turned = true;
        for (int sweep = 0; turned && sweep < MostSweeps; sweep++)
        {
            turned = false;
            for (int i = 0; i < rows; i++)
                for (int j = i + 1; j < rows; j++) turned |= Turn(matrix.AsSpan(i * columns, columns), matrix.AsSpan(j * columns, columns));
        }
        double least = double.PositiveInfinity, most = 0;
        for (int i = 0; i < rows; i++)
        {
            var row = matrix.AsSpan(i * columns, columns);
            double length = Math.Sqrt(Dot(row, row));
            (least, most) = (Math.Min(least, length), Math.Max(most, length));
        }
        return least > most * 1e-12 ? most / least : double.PositiveInfinity;
    }

    static bool Turn(Span<double> a, Span<double> b)
    {
        double aa = Dot(a, a), bb = Dot(b, b), ab = Dot(a, b);
        if (Math.Abs(ab) <= 1e-14 * Math.Sqrt(aa * bb)) return false;
        double zeta = (bb - aa) / (2 * ab);
        double tangent = (zeta < 0 ? -1 : 1) / (Math.Abs(zeta) + Math.Sqrt(1 + zeta * zeta));
        double cosine = 1 / Math.Sqrt(1 + tangent * tangent), sine = cosine * tangent;
        for (int i = 0; i < a.Length; i++) (a[i], b[i]) = (cosine * a[i] - sine * b[i], sine * a[i] + cosine * b[i]);
        return true;
    }

    static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
