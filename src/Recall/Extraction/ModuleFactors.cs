using System.Runtime.InteropServices;
using Recall.Alignment;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Extraction;

/// <summary>The factors nearest to a matrix: B·A of the largest singular triples.</summary>
/// <param name="Rank">Columns of B, rows of A; 0 for a matrix of zeros.</param>
/// <param name="A">[rank, in], row-major.</param>
/// <param name="B">[out, rank], row-major.</param>
/// <param name="Lost">1 − ‖B·A‖²/‖matrix‖².</param>
sealed record ModuleFactors(int Rank, float[] A, float[] B, double Lost)
{
    /// <summary>
    /// Up to this extent the decomposition itself; above, the eigenpairs of the smaller Gram matrix in float64, which is
    /// enough for float32.
    /// </summary>
    const int WholeDecomposition = 512;

    /// <summary>Columns whose products are added at once.</summary>
    const int Part = 2048;

    /// <summary>Singular values below this share of the largest one are rounding noise of float32.</summary>
    const double Noise = 1e-7;

    /// <summary>Decomposes a matrix.</summary>
    /// <param name="delta">[out, in], float32.</param>
    /// <param name="options">Rank, threshold, and where the singular values go.</param>
    /// <param name="cancellation">Stops between parts of the products, and rounds of the iteration.</param>
    /// <returns>Null where an element is no number.</returns>
    public static ModuleFactors? Of(Tensor delta, ExtractionOptions options, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var matrix = delta.to_type(ScalarType.Float64).contiguous();
        double whole = matrix.mul(matrix).sum().item<double>();
        if (!double.IsFinite(whole)) return null;
        if (whole == 0) return new ModuleFactors(0, [], [], 0);
        var (u, s, vh) = Triples(matrix, (int)Math.Min(options.MaxRank, Math.Min(matrix.shape[0], matrix.shape[1])), cancellation);
        double floor = Math.Max(options.SvEpsilon, s[0] * Noise);
        int rank = s.TakeWhile(value => value > floor).Count();
        if (rank == 0) return new ModuleFactors(0, [], [], 1);
        double[] kept = s[..rank], roots = [.. kept.Select(Math.Sqrt)], ones = [.. kept.Select(_ => 1.0)];
        var right = tensor(options.DistributeScale ? roots : kept).unsqueeze(1).mul(vh.narrow(0, 0, rank));
        var left = u.narrow(1, 0, rank).mul(tensor(options.DistributeScale ? roots : ones));
        return new ModuleFactors(rank, Values(right), Values(left), Math.Clamp(1 - kept.Sum(value => value * value) / whole, 0, 1));
    }

    static (Tensor U, double[] S, Tensor Vh) Triples(Tensor matrix, int count, CancellationToken cancellation)
    {
        bool tall = matrix.shape[0] > matrix.shape[1];
        if (Math.Min(matrix.shape[0], matrix.shape[1]) <= WholeDecomposition)
        {
            var (u, s, vh) = linalg.svd(matrix, fullMatrices: false);
            return (u, Doubles(s)[..count], vh);
        }
        var (squares, vectors) = Eigenpairs.Largest(Gram(tall ? matrix.t() : matrix, cancellation), count, cancellation);
        double[] values = [.. Doubles(squares).Select(square => Math.Sqrt(Math.Max(0, square)))];
        // The other vectors are images of these; those of no length belong to values that are noise.
        var inverse = tensor((double[])[.. values.Select(value => value > 0 ? 1 / value : 0)]);
        return tall
            ? (matrix.mm(vectors).mul(inverse), values, vectors.t())
            : (vectors, values, inverse.unsqueeze(1).mul(vectors.t().mm(matrix)));
    }

    /// <summary>M·Mᵀ, the columns of M part by part, so that it can be stopped.</summary>
    static Tensor Gram(Tensor matrix, CancellationToken cancellation)
    {
        var sum = zeros([matrix.shape[0], matrix.shape[0]], ScalarType.Float64);
        for (long first = 0; first < matrix.shape[1]; first += Part)
        {
            cancellation.ThrowIfCancellationRequested();
            using var part = matrix.narrow(1, first, Math.Min(Part, matrix.shape[1] - first));
            using var transposed = part.t();
            using var product = part.mm(transposed);
            sum.AddIn(product);
        }
        return sum;
    }

    static double[] Doubles(Tensor values)
    {
        using var plain = values.contiguous();
        return MemoryMarshal.Cast<byte, double>(plain.bytes).ToArray();
    }

    static float[] Values(Tensor values)
    {
        using var floats = values.to_type(ScalarType.Float32).contiguous();
        return MemoryMarshal.Cast<byte, float>(floats.bytes).ToArray();
    }
}
