using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Numerics;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>Rows drawn from the normal distribution of a matrix's rows, with a small share of their covariance.</summary>
static class NormalRows
{
    /// <summary>Of the covariance; the value of the method's author.</summary>
    const double Share = 1e-5;

    const int Chunk = 4096;

    /// <summary>So many rows, less the mean, [count, width].</summary>
    /// <param name="matrix">The base's matrix, [tokens, width].</param>
    /// <param name="moments">Its mean row.</param>
    /// <param name="count">How many.</param>
    /// <param name="seed">The same seed draws the same rows.</param>
    public static float[][] Draw(TensorSource matrix, RowMoments moments, int count, long seed)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        int width = (int)matrix.Shape[1];
        var (values, vectors) = linalg.eigh(Products(matrix, moments));
        // A root of the covariance by its eigenpairs: it need not have full rank.
        double freedom = Math.Max(matrix.Shape[0] - 1, 1);
        using var plain = values.contiguous();
        double[] roots = [.. MemoryMarshal.Cast<byte, double>(plain.bytes).ToArray().Select(value => Math.Sqrt(Math.Max(0, value) * Share / freedom))];
        var root = vectors.mul(tensor(roots)).to_type(ScalarType.Float32).t().contiguous();
        var random = new CounterRandom(seed, matrix.Name, 1);
        var drawn = new float[count][];
        for (int row = 0; row < count; row++)
        {
            using var inner = NewDisposeScope();
            var numbers = new float[width];
            for (int i = 0; i < width; i++) numbers[i] = (float)Normal.At(random, (long)row * width + i);
            drawn[row] = MemoryMarshal.Cast<byte, float>(tensor(numbers, [1, width]).mm(root).contiguous().bytes).ToArray();
        }
        return drawn;
    }

    /// <summary>Σ (row − mean)(row − mean)ᵀ, float64.</summary>
    static Tensor Products(TensorSource matrix, RowMoments moments)
    {
        var mean = tensor(moments.Mean).to_type(ScalarType.Float64);
        var products = zeros([matrix.Shape[1], matrix.Shape[1]], ScalarType.Float64);
        var reader = new TileReader();
        for (long first = 0; first < matrix.Shape[0]; first += Chunk)
        {
            using var inner = NewDisposeScope();
            var part = empty([Math.Min(Chunk, matrix.Shape[0] - first), matrix.Shape[1]], ScalarType.Float32);
            new RowRange(matrix, first, (int)part.shape[0]).ReadInto(part, reader);
            var centred = part.to_type(ScalarType.Float64).Minus(mean);
            products.copy_(products.Plus(centred.t().mm(centred)));
        }
        return products;
    }
}
