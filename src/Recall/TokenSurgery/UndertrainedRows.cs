using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>
/// Rows of tokens that training has hardly touched, by where they lie (after S. Land and M. Bartolo, "Fishing for Magikarp: automatically detecting
/// under-trained tokens in large language models", arXiv 2405.05417). Such rows stay where they began: near zero, near the mean of all rows, or near the
/// rows to which no token belongs. A row is one of them that is nearer to such a point than half the median of all rows.
/// </summary>
static class UndertrainedRows
{
    const double Share = 0.5;

    const int Chunk = 4096;

    /// <summary>Of each row whether it is one.</summary>
    /// <param name="matrix">[rows, width].</param>
    /// <param name="hasToken">Whether a token belongs to a row.</param>
    /// <param name="cancellation">Stops between parts of the matrix.</param>
    public static bool[] Of(TensorSource matrix, Func<int, bool> hasToken, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        long width = matrix.Shape[1];
        var (all, spare) = (zeros([width], ScalarType.Float64), zeros([width], ScalarType.Float64));
        int[] unused = [.. Enumerable.Range(0, (int)matrix.Shape[0]).Where(row => !hasToken(row))];
        Each(matrix, (first, rows) =>
        {
            all.copy_(all.Plus(rows.sum([0])));
            long[] here = [.. unused.Where(row => row >= first && row < first + rows.shape[0]).Select(row => row - first)];
            if (here.Length > 0) spare.copy_(spare.Plus(rows.index_select(0, tensor(here)).sum([0])));
        }, cancellation);
        List<Tensor> points = [zeros([width], ScalarType.Float64), all.div(tensor((double)matrix.Shape[0]))];
        if (unused.Length > 0) points.Add(spare.div(tensor((double)unused.Length)));
        var distances = points.ConvertAll(_ => new double[matrix.Shape[0]]);
        Each(matrix, (first, rows) =>
        {
            foreach (var (point, of) in points.Zip(distances)) SharedRows.Values<double>(rows.Minus(point).norm(1)).CopyTo(of, first);
        }, cancellation);
        var near = new bool[matrix.Shape[0]];
        foreach (double[] of in distances)
        {
            double limit = Share * of.Order().ElementAt(of.Length / 2);
            for (int row = 0; row < near.Length; row++) near[row] |= of[row] < limit;
        }
        return near;
    }

    static void Each(TensorSource matrix, Action<int, Tensor> see, CancellationToken cancellation)
    {
        var reader = new TileReader();
        for (long first = 0; first < matrix.Shape[0]; first += Chunk)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var part = empty([Math.Min(Chunk, matrix.Shape[0] - first), matrix.Shape[1]], ScalarType.Float32);
            new RowRange(matrix, first, (int)part.shape[0]).ReadInto(part, reader);
            see((int)first, part.to_type(ScalarType.Float64));
        }
    }
}
