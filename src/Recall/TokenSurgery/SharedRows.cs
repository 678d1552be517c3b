using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>The donor's rows of the tokens that both models have: what a new token's row is expressed by.</summary>
sealed class SharedRows : IDisposable
{
    /// <summary>Rows that are worked on together: the bases of their pursuits are in memory at once.</summary>
    const int Batch = 64;

    readonly Tensor _donor, _shared;
    readonly int[] _baseRows;
    readonly SurgeryOptions _options;

    /// <param name="donor">The donor's matrix.</param>
    /// <param name="pairs">Rows of the donor and of the base for the same token.</param>
    /// <param name="options">How.</param>
    public SharedRows(TensorSource donor, IReadOnlyList<(int Donor, int Base)> pairs, SurgeryOptions options)
    {
        _donor = empty([donor.Shape[0], donor.Shape[1]], ScalarType.Float32);
        donor.ReadInto(_donor, new TileReader());
        using var index = tensor(pairs.Select(pair => (long)pair.Donor).ToArray());
        _shared = _donor.index_select(0, index);
        _baseRows = [.. pairs.Select(pair => pair.Base)];
        _options = options;
    }

    /// <summary>Recipes for rows of the donor.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="cancellation">Stops between batches.</param>
    public IEnumerable<RowRecipe> Approximate(IReadOnlyList<int> rows, CancellationToken cancellation)
    {
        for (int first = 0; first < rows.Count; first += Batch)
        {
            cancellation.ThrowIfCancellationRequested();
            long[] batch = [.. rows.Skip(first).Take(Batch).Select(row => (long)row)];
            foreach (var (chosen, weights) in _options.Method == Approximation.Omp ? Pursue(batch) : Interpolate(batch))
                yield return new RowRecipe([.. chosen.Select(index => _baseRows[index])], weights);
        }
    }

    List<(int[], float[])> Pursue(long[] rows)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        int width = (int)_shared.shape[1], steps = (int)Math.Min(Math.Min(_options.K, width), _shared.shape[0]);
        var residual = _donor.index_select(0, tensor(rows)).contiguous();
        var start = MemoryMarshal.Cast<byte, float>(residual.bytes);
        var pursuits = new Pursuit[rows.Length];
        for (int i = 0; i < rows.Length; i++) pursuits[i] = new Pursuit(start.Slice(i * width, width));
        for (int step = 0; step < steps && !Array.TrueForAll(pursuits, pursuit => pursuit.IsDone); step++)
        {
            using var inner = NewDisposeScope();
            var best = _shared.mm(residual.t()).abs().argmax(0);
            long[] chosen = MemoryMarshal.Cast<byte, long>(best.bytes).ToArray();
            float[] picked = MemoryMarshal.Cast<byte, float>(_shared.index_select(0, best).contiguous().bytes).ToArray();
            var left = new float[picked.Length];
            Parallel.For(0, rows.Length, i =>
            {
                pursuits[i].Add((int)chosen[i], picked.AsSpan(i * width, width));
                pursuits[i].CopyResidual(left.AsSpan(i * width, width));
            });
            left.CopyTo(MemoryMarshal.Cast<byte, float>(residual.bytes));
        }
        return [.. pursuits.Select(pursuit => pursuit.Solve())];
    }

    List<(int[], float[])> Interpolate(long[] rows)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        int count = (int)Math.Min(_options.K, _shared.shape[0]);
        var targets = _donor.index_select(0, tensor(rows));
        // Of the squared distance what depends on the neighbour, halved and negated; for angles the product with neighbours of length 1.
        var squares = _shared.mul(_shared).sum(1);
        var products = targets.mm(_shared.t());
        var scores = _options.Cosine ? products.div(squares.sqrt().maximum(tensor(1e-12f))) : products.Minus(squares.Times(0.5));
        var (_, nearest) = scores.topk(count, dim: 1);
        var made = new List<(int[], float[])>();
        for (int i = 0; i < rows.Length; i++)
        {
            using var inner = NewDisposeScope();
            var indices = nearest.select(0, i).contiguous();
            int[] chosen = [.. MemoryMarshal.Cast<byte, long>(indices.bytes).ToArray().Select(index => (int)index)];
            var neighbours = _shared.index_select(0, indices).to_type(ScalarType.Float64);
            made.Add((chosen, NeighbourWeights.Of(targets.select(0, i).to_type(ScalarType.Float64), neighbours, _options)));
        }
        return made;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _donor.Dispose();
        _shared.Dispose();
    }
}
