using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.TokenSurgery;

/// <summary>
/// One row's orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad, 1993): what is chosen is made orthogonal to what was chosen before, so that the
/// residual is that of the best sum, and a triangular system gives its coefficients.
/// </summary>
sealed class Pursuit
{
    readonly double[] _residual;
    readonly double _norm;
    readonly List<double[]> _basis = [];
    readonly List<double[]> _columns = [];
    readonly List<double> _right = [];
    readonly List<int> _chosen = [];

    public Pursuit(ReadOnlySpan<float> target)
    {
        _residual = new double[target.Length];
        for (int i = 0; i < target.Length; i++) _residual[i] = target[i];
        _norm = Math.Sqrt(Dot(_residual, _residual));
        IsDone = _norm == 0;
    }

    /// <summary>Nothing is left, or nothing new comes.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Takes the row that has the largest product with the residual.</summary>
    public void Add(int index, ReadOnlySpan<float> row)
    {
        if (IsDone) return;
        var vector = new double[row.Length];
        for (int i = 0; i < row.Length; i++) vector[i] = row[i];
        double length = Math.Sqrt(Dot(vector, vector));
        var column = new double[_basis.Count + 1];
        // Twice, since once leaves what rounding makes of nearly parallel rows.
        for (int round = 0; round < 2; round++)
        {
            for (int j = 0; j < _basis.Count; j++)
            {
                double part = Dot(_basis[j], vector);
                column[j] += part;
                Subtract(vector, part, _basis[j]);
            }
        }
        double rest = Math.Sqrt(Dot(vector, vector));
        if (!(rest > 1e-6 * length))
        {
            IsDone = true;
            return;
        }
        for (int i = 0; i < vector.Length; i++) vector[i] /= rest;
        column[^1] = rest;
        double product = Dot(vector, _residual);
        Subtract(_residual, product, vector);
        _basis.Add(vector);
        _columns.Add(column);
        _right.Add(product);
        _chosen.Add(index);
        IsDone = Math.Sqrt(Dot(_residual, _residual)) <= 1e-7 * _norm;
    }

    /// <summary>What is left of the row.</summary>
    public void CopyResidual(Span<float> destination)
    {
        for (int i = 0; i < _residual.Length; i++) destination[i] = (float)_residual[i];
    }

    /// <summary>The chosen rows and their coefficients.</summary>
    public (int[] Chosen, float[] Coefficients) Solve()
    {
        var coefficients = new double[_chosen.Count];
        for (int i = coefficients.Length - 1; i >= 0; i--)
        {
            double rest = _right[i];
            for (int j = i + 1; j < coefficients.Length; j++) rest -= _columns[j][i] * coefficients[j];
            coefficients[i] = rest / _columns[i][i];
        }
        return ([.. _chosen], [.. coefficients.Select(value => (float)value)]);
    }

    // Value i goes to lane i mod 8, what is left over follows one by one: the same bits at every vector width.
    // Value i goes to lane i mod 8, what is left over follows one by one: the same bits at every vector width.
    static double Dot(double[] a, double[] b)
    {
        ref double left = ref MemoryMarshal.GetArrayDataReference(a), right = ref MemoryMarshal.GetArrayDataReference(b);
        var lanes = Vector512<double>.Zero;
        int i = 0;
        for (; i + 8 <= a.Length; i += 8) lanes += Vector512.LoadUnsafe(ref left, (nuint)i) * Vector512.LoadUnsafe(ref right, (nuint)i);
        double sum = 0;
        for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
        for (; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    static void Subtract(double[] from, double factor, double[] what)
    {
        ref double to = ref MemoryMarshal.GetArrayDataReference(from), other = ref MemoryMarshal.GetArrayDataReference(what);
        int i = 0;
        for (; i + 8 <= from.Length; i += 8)
            (Vector512.LoadUnsafe(ref to, (nuint)i) - Vector512.LoadUnsafe(ref other, (nuint)i) * Vector512.Create(factor)).StoreUnsafe(ref to, (nuint)i);
        for (; i < from.Length; i++) from[i] -= factor * what[i];
    }
}
