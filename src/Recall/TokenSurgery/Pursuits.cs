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
    /// <param name="wanted">Rows of the donor.</param>
    /// <param name="k">How many.</param>
    /// <param name="pairs">The donor's rotary pairs; null: rows are not turned.</param>
    public static IEnumerable<RowRecipe> Recipes(SharedRows rows, long[] wanted, int k, RotaryPairs? pairs)
    {
        var shared = rows.Shared;
        int[] positions = pairs is null ? [0] : Positions;
        int width = (int)shared.shape[1], count = (int)shared.shape[0], steps = (int)Math.Min(Math.Min(k, width), (long)count * positions.Length);
        float[] left = SharedRows.Values<float>(rows.Donor.index_select(0, tensor(wanted)));
        var pursuits = new Pursuit[wanted.Length];
        for (int i = 0; i < wanted.Length; i++) pursuits[i] = new Pursuit(left.AsSpan(i * width, width));
        for (int step = 0; step < steps && !Array.TrueForAll(pursuits, pursuit => pursuit.IsDone); step++)
        {
            using var inner = NewDisposeScope();
            var (atoms, picked) = Best(shared, left, wanted.Length, positions, pairs);
            Parallel.For(0, wanted.Length, i =>
            {
                pursuits[i].Add(atoms[i], picked.AsSpan(i * width, width));
                pursuits[i].CopyResidual(left.AsSpan(i * width, width));
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

    /// <summary>Of each residual the row with the largest product: position number · count of rows + row, and its values as they are turned.</summary>
    static (int[] Atoms, float[] Values) Best(Tensor shared, float[] residuals, int wanted, int[] positions, RotaryPairs? pairs)
    {
        int width = (int)shared.shape[1], count = (int)shared.shape[0];
        var turned = new float[positions.Length * residuals.Length];
        Parallel.For(0, positions.Length * wanted, i =>
        {
            var row = turned.AsSpan(i * width, width);
            residuals.AsSpan(i % wanted * width, width).CopyTo(row);
            pairs?.Turn(row, -positions[i / wanted]);
        });
        var (largest, best) = shared.mm(tensor(turned, [positions.Length * wanted, width]).t()).abs().max(0);
        float[] products = SharedRows.Values<float>(largest);
        long[] tokens = SharedRows.Values<long>(best);
        var atoms = new int[wanted];
        for (int i = 0; i < wanted; i++)
        {
            int most = 0;
            for (int p = 1; p < positions.Length; p++)
                if (products[p * wanted + i] > products[most * wanted + i]) most = p;
            atoms[i] = checked(most * count + (int)tokens[most * wanted + i]);
        }
        float[] values = SharedRows.Values<float>(shared.index_select(0, tensor(atoms.Select(atom => (long)(atom % count)).ToArray())));
        for (int i = 0; i < wanted; i++) pairs?.Turn(values.AsSpan(i * width, width), positions[atoms[i] / count]);
        return (atoms, values);
    }
}
