using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Solves X (Σ_i G_i + λI) = N for many N, λ = ridge · tr(Σ G)/in: by Cholesky of the matrix, or, where the moments hold few rows F
/// together besides a diagonal Λ, by the dual form (Woodbury): (Λ + FᵀF)⁻¹ = Λ⁻¹ − Λ⁻¹Fᵀ(I + FΛ⁻¹Fᵀ)⁻¹FΛ⁻¹. Double precision.
/// </summary>
sealed class RidgedSum : IDisposable
{
    /// <summary>How often the ridge is made ten times larger before a sum counts as broken.</summary>
    const int MostRaises = 8;

    const string NoMoments = "statistics of layer inputs that are no second moments: not positive definite with any ridge";

    readonly Tensor _factor;            // Cholesky factor, in the lower triangle: [in, in] or [rows, rows]
    readonly Tensor? _diagonal;         // of the sum: [in]
    readonly Tensor? _rows, _inverse;   // the dual form: F [rows, in], 1/Λ [in]

    RidgedSum(double ridge, Tensor factor, Tensor? diagonal, Tensor? rows, Tensor? inverse) =>
        (Ridge, _factor, _diagonal, _rows, _inverse) = (ridge, factor, diagonal, rows, inverse);

    /// <summary>λ, absolute.</summary>
    public double Ridge { get; }

    /// <summary>Whether the dual form costs less: multiplications with that many outputs.</summary>
    public static bool IsDualCheaper(IEnumerable<long?> ranks, long inputs, long outputs)
    {
        double rows = 0;
        foreach (long? rank in ranks)
        {
            if (rank is null) return false;
            rows += rank.Value;
        }
        double size = inputs;
        return rows * rows * size + rows * rows * rows / 3 + 2 * outputs * size * rows < rows * size * size / 2 + size * size * size / 3
            + outputs * size * size;
    }

    /// <summary>The factorisation of a whole sum, in its own memory.</summary>
    /// <param name="sum">Σ G, taken over: [in, in]; its lower triangle is the factor until <see cref="Restore"/>.</param>
    /// <param name="ridge">In units of the mean of the diagonal.</param>
    /// <param name="note">Told where the ridge had to be raised.</param>
    public static RidgedSum Of(Tensor sum, double ridge, Action<string> note)
    {
        using var scope = NewDisposeScope();
        var diagonal = sum.diagonal().clone();
        double mean = TorchThreads.Total(diagonal) / sum.shape[0], asked = ridge;
        for (int raise = 0; raise <= MostRaises; raise++, ridge = Math.Max(ridge, 1e-9) * 10)
        {
            using var added = tensor(ridge * mean);
            using var ridged = diagonal.Plus(added);
            if (raise == 0) sum.diagonal().copy_(ridged);
            else Cholesky.Restore(sum, ridged);
            if (!Cholesky.Factorise(sum)) continue;
            if (raise > 0) note($"its statistics are not positive definite: the ridge was raised from {asked:R} to {ridge:R}");
            return new RidgedSum(ridge * mean, sum, diagonal.DetachFromDisposeScope(), null, null);
        }
        throw new RecallException(NoMoments);
    }

    /// <summary>Makes the sum what it was; nothing can be solved any more.</summary>
    public void Restore() => Cholesky.Restore(_factor, _diagonal!);

    /// <summary>The dual form.</summary>
    /// <param name="moments">Moments without matrices.</param>
    /// <param name="ridge">In units of the mean of the diagonal; above 0.</param>
    public static RidgedSum Dual(IReadOnlyList<SecondMoment> moments, double ridge)
    {
        using var scope = NewDisposeScope();
        int size = moments[0].Size;
        double absolute = ridge * moments.Sum(moment => moment.Trace) / size;
        var diagonal = tensor(absolute).expand(size).clone();
        foreach (var moment in moments)
            if (moment.Diagonal is not null) diagonal.AddIn(moment.Diagonal);
        var factors = moments.Where(moment => moment.Factor is not null).Select(moment => moment.Factor!).ToArray();
        var rows = factors.Length == 0 ? zeros([0, size], ScalarType.Float64) : cat(factors, 0);
        var inverse = diagonal.reciprocal();
        var small = (rows * inverse).Product(rows.t());
        small.diagonal().AddIn(tensor(1.0));
        if (!Cholesky.Factorise(small)) throw new RecallException(NoMoments);
        return new RidgedSum(absolute, small.DetachFromDisposeScope(), null, rows.DetachFromDisposeScope(), inverse.DetachFromDisposeScope());
    }

    /// <summary>N (Σ G + λI)⁻¹.</summary>
    public Tensor Solve(Tensor numerators)
    {
        // [out, in] → [out, in]
        using var scope = NewDisposeScope();
        if (_rows is null) return Cholesky.Solve(_factor, numerators).MoveToOuterDisposeScope();
        var scaled = numerators * _inverse!;
        if (_rows.shape[0] == 0) return scaled.MoveToOuterDisposeScope();
        var inside = Cholesky.Solve(_factor, scaled.Product(_rows.t()));
        return scaled.Minus(inside.Product(_rows) * _inverse!).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _factor.Dispose();
        _diagonal?.Dispose();
        _rows?.Dispose();
        _inverse?.Dispose();
    }
}
