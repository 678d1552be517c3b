using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>
/// Rows by matching pursuit (omp), and the same over turned rows (mp_rope). There the dictionary holds each shared row at the rotary positions 0, ±1, ±2:
/// R_p a. A choice is a token and a position, and stands for R'_p b in the base, R' being the base's rotation with its own heads and θ. Since
/// ⟨r, R_p a⟩ = ⟨R_−p r, a⟩, the residual is turned, not the dictionary.
/// </summary>
static class Pursuits
{
    /// <summary>In the order in which they win among equals.</summary>
    static readonly int[] Positions = [0, 1, -1, 2, -2];

    /// <summary>Recipes of at most <paramref name="k"/> rows.</summary>
    /// <param name="rows">What both models have.</param>
    /// <param name="largest">Finds the largest product with the donor's shared rows.</param>
    /// <param name="wanted">Rows of the donor.</param>
    /// <param name="k">How many.</param>
    /// <param name="pairs">The donor's rotary pairs; null: rows are not turned.</param>
    /// <param name="cancellation">Stops between steps.</param>
    public static IEnumerable<RowRecipe> Recipes(
        SharedRows rows, LargestProducts largest, long[] wanted, int k, RotaryPairs? pairs, CancellationToken cancellation)
    {
        var shared = rows.Shared;
        int[] positions = pairs is null ? [0] : Positions;
        int width = (int)shared.shape[1], count = (int)shared.shape[0], steps = (int)Math.Min(Math.Min(k, width), (long)count * positions.Length);
        float[] targets = SharedRows.Values<float>(rows.Donor.index_select(0, tensor(wanted)));
        Pursuit[] pursuits = [.. wanted.Select((_, i) => new Pursuit(targets.AsSpan(i * width, width)))], left = pursuits;
        for (int step = 0; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            left = Array.FindAll(left, pursuit => !pursuit.IsDone);
            if (left.Length == 0) break;
            using var inner = NewDisposeScope();
            var best = largest.Find(Turned(left, width, positions, pairs), left.Length);
            float[] values = SharedRows.Values<float>(shared.index_select(0, tensor(best.Select(each => (long)each.Row).ToArray())));
            Parallel.For(0, left.Length, i =>
            {
                var row = values.AsSpan(i * width, width);
                pairs?.Turn(row, positions[best[i].Vector]);
                left[i].Add(checked(best[i].Vector * count + best[i].Row), row);
            });
        }
        foreach (var pursuit in pursuits)
        {
            var (chosen, weights) = pursuit.Solve();
            yield return new RowRecipe([.. chosen.Select(atom => rows.BaseRows[atom % count])], weights)
            {
                Turns = pairs is null ? null : [.. chosen.Select(atom => positions[atom / count])],
            };
        }
    }

    /// <summary>The residuals, turned back by the first position, then by the second, and so on.</summary>
    static float[] Turned(Pursuit[] pursuits, int width, int[] positions, RotaryPairs? pairs)
    {
        var turned = new float[positions.Length * pursuits.Length * width];
        Parallel.For(0, positions.Length * pursuits.Length, i =>
        {
            var row = turned.AsSpan(i * width, width);
            pursuits[i % pursuits.Length].CopyResidual(row);
            pairs?.Turn(row, -positions[i / pursuits.Length]);
        });
        return turned;
    }
}
