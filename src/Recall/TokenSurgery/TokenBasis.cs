using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>
/// A few shared tokens of which every new row is made (stb). Rows are taken less the mean of the shared ones. One after the other the shared row that has
/// most left beside those chosen becomes part of the basis: the order of a QR decomposition with pivots (P. Businger and G. Golub, Numerische Mathematik
/// 7, 1965), which keeps the basis well-conditioned. A donor's row x then has the coefficients c that minimise ‖μ + Σ c_i (a_i − μ) − x‖, and becomes
/// ν + Σ c_i (b_i − ν) in the base, ν being the mean there.
/// </summary>
sealed class TokenBasis
{
    /// <summary>What has less than this share of the longest row left adds rounding noise.</summary>
    const double Least = 1e-3;

    readonly Tensor _donor, _mean, _coefficients;
    readonly int[] _baseRows;
    readonly float[] _baseMean;

    /// <param name="rows">The shared tokens.</param>
    /// <param name="k">Tokens in the basis at most.</param>
    public TokenBasis(SharedRows rows, int k)
    {
        _donor = rows.Donor;
        _mean = rows.Shared.mean([0], false, ScalarType.Float64);
        var chosen = Choose(rows.Shared, k);
        _baseRows = [.. chosen.Select(index => rows.BaseRows[index])];
        _baseMean = MeanOfBase(rows);
        var basis = rows.Shared.index_select(0, tensor(chosen.Select(index => (long)index).ToArray())).to_type(ScalarType.Float64).Minus(_mean);
        _coefficients = chosen.Count == 0 ? zeros([_mean.shape[0], 0], ScalarType.Float64) : linalg.pinv(basis);
    }

    List<int> Choose(Tensor shared, int k)
    {
        var chosen = new List<int>();
        var flat = _mean.to_type(ScalarType.Float32);
        var left = SquaresOf(shared);
        double longest = left.Max();
        var directions = zeros([0, shared.shape[1]], ScalarType.Float64);
        while (chosen.Count < Math.Min(k, shared.shape[0]))
        {
            int next = Array.IndexOf(left, left.Max());
            var row = shared.select(0, next).to_type(ScalarType.Float64).Minus(_mean);
            // Twice, since once leaves what rounding makes of nearly parallel rows.
            for (int round = 0; round < 2; round++) row = row.Minus(directions.t().mv(directions.mv(row)));
            double length = SharedRows.Values<double>(row.norm())[0];
            if (!(length > Least * Math.Sqrt(longest))) break;
            chosen.Add(next);
            row = row.div(tensor(length));
            directions = cat([directions, row.unsqueeze(0)]);
            var direction = row.to_type(ScalarType.Float32);
            float shift = SharedRows.Values<float>(flat.dot(direction))[0];
            float[] parts = SharedRows.Values<float>(shared.mv(direction));
            for (int i = 0; i < left.Length; i++) left[i] -= ((double)parts[i] - shift) * ((double)parts[i] - shift);
            left[next] = 0;
        }
        return chosen;
    }

    /// <summary>‖a − μ‖² of each row.</summary>
    double[] SquaresOf(Tensor shared)
    {
        var squares = new double[shared.shape[0]];
        for (int first = 0; first < squares.Length; first += 4096)
        {
            using var inner = NewDisposeScope();
            var part = shared.narrow(0, first, Math.Min(4096, squares.Length - first)).to_type(ScalarType.Float64).Minus(_mean);
            SharedRows.Values<double>(part.mul(part).sum(1)).CopyTo(squares, first);
        }
        return squares;
    }

    static float[] MeanOfBase(SharedRows rows)
    {
        var sum = zeros([rows.BaseWidth], ScalarType.Float64);
        for (int first = 0; first < rows.BaseRows.Count; first += 4096)
        {
            using var inner = NewDisposeScope();
            sum.copy_(sum.Plus(rows.OfBase(first, Math.Min(4096, rows.BaseRows.Count - first)).sum([0])));
        }
        return [.. SharedRows.Values<double>(sum).Select(value => (float)(value / rows.BaseRows.Count))];
    }

    /// <summary>Recipes of the basis and the mean.</summary>
    public IEnumerable<RowRecipe> Recipes(long[] wanted)
    {
        var solved = _donor.index_select(0, tensor(wanted)).to_type(ScalarType.Float64).Minus(_mean).mm(_coefficients);
        for (int i = 0; i < wanted.Length; i++)
        {
            double[] weights = SharedRows.Values<double>(solved.select(0, i));
            yield return new RowRecipe(_baseRows, [.. weights.Select(weight => (float)weight)]) { Offset = _baseMean, Scale = (float)(1 - weights.Sum()) };
        }
    }
}
