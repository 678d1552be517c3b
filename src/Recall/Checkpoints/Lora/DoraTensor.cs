using System.Numerics.Tensors;
using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// A weight with a DoRA update: (m / ‖V‖) · V with V = W + (B·A)·scale; the norm runs over the inputs, for each output by itself.
/// Source: Liu et al., DoRA, arXiv 2402.09353. The norms need the whole of V: they are computed once, at the first read, and kept (one
/// float an output).
/// </summary>
/// <param name="direction">V, [out, in]; [in, out] where <paramref name="byColumn"/>.</param>
/// <param name="magnitude">m, [out].</param>
/// <param name="byColumn">The outputs are the columns: embeddings (one magnitude a hidden dimension), Conv1D.</param>
sealed class DoraTensor(TensorSource direction, StoredTensor magnitude, bool byColumn) : TensorSource
{
    readonly Lock _lock = new();
    volatile float[]? _factors;

    public override string Name => direction.Name;

    public override Shape Shape => direction.Shape;

    public override DType DType => direction.DType;

    public override IEnumerable<StoredTensor> Stored => [.. direction.Stored, magnitude];

    int RowLength => checked((int)direction.Shape.RowLength);

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        var factors = Factors(reader);
        direction.Read(reader, start, destination);
        while (destination.Length > 0)
        {
            int row = (int)(start / RowLength), column = (int)(start % RowLength), taken = Math.Min(RowLength - column, destination.Length);
            var piece = destination[..taken];
            if (byColumn) TensorPrimitives.Multiply(piece, factors.AsSpan(column, taken), piece);
            else TensorPrimitives.Multiply(piece, factors[row], piece);
            start += taken;
            destination = destination[taken..];
        }
    }

    float[] Factors(TileReader reader)
    {
        if (_factors is { } known) return known;
        lock (_lock) return _factors ??= ComputeFactors(reader);
    }

    float[] ComputeFactors(TileReader reader)
    {
        var magnitudes = reader.Whole(magnitude);
        Finite.Check(magnitude, magnitudes);
        // Sums of squares in float64, element after element: the same bits on every machine, and closer than any order of float32.
        var squares = new double[magnitudes.Length];
        var strip = new float[TileReader.StripElements];
        for (long start = 0; start < Shape.Elements; start += strip.Length)
        {
            var piece = strip.AsSpan(0, (int)Math.Min(strip.Length, Shape.Elements - start));
            direction.Read(reader, start, piece);
            int row = (int)(start / RowLength), column = (int)(start % RowLength);
            foreach (float value in piece)
            {
                squares[byColumn ? column : row] += (double)value * value;
                if (++column < RowLength) continue;
                (row, column) = (row + 1, 0);
            }
        }
        var factors = new float[squares.Length];
        for (int i = 0; i < factors.Length; i++) factors[i] = magnitudes[i] / (float)Math.Sqrt(squares[i]);
        return factors;
    }
}
