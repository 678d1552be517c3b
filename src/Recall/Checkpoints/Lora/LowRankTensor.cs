using System.Numerics.Tensors;
using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// How a tensor of two dimensions gets its update from the factors A [rank, in] and B [out, rank]: element [row, column] is
/// Σ_k left[row, k] · right[k, column], where left and right are B and A, or for a matrix stored [in, out] Aᵀ and Bᵀ.
/// </summary>
/// <param name="Left">B, or A where <paramref name="Transposed"/>.</param>
/// <param name="Right">A, or B where <paramref name="Transposed"/>.</param>
/// <param name="Transposed">The weight is stored [in, out]: embeddings, Conv1D.</param>
/// <param name="Rank">Length of the sum.</param>
/// <param name="Scale">What the sum is multiplied by.</param>
sealed record LowRankUpdate(StoredTensor Left, StoredTensor Right, bool Transposed, int Rank, float Scale)
{
    /// <summary>Where row 0 of the left matrix begins in its factor: the stacked experts of one layer share their factors.</summary>
    public int LeftOffset { get; init; }

    /// <summary>Distance of neighbours along the rank in the left factor.</summary>
    public int LeftRankStride { get; init; } = Transposed ? checked((int)Left.Shape[1]) : 1;

    /// <summary>Where the right matrix begins in its factor.</summary>
    public int RightOffset { get; init; }

    int LeftRowStride => Transposed ? 1 : (int)Left.Shape[1];

    /// <summary>Adds the update to elements <paramref name="start"/> … of a tensor with rows of that length.</summary>
    public void AddTo(TileReader reader, long start, int rowLength, Span<float> destination)
    {
        var left = reader.Whole(Left);
        var right = Transposed ? reader.WholeTransposed(Right) : reader.Whole(Right);
        while (destination.Length > 0)
        {
            int row = (int)(start / rowLength), column = (int)(start % rowLength), taken = Math.Min(rowLength - column, destination.Length);
            var leftRow = left[(LeftOffset + row * LeftRowStride)..];
            LowRank.AddRow(leftRow, LeftRankStride, right[(RightOffset + column)..], rowLength, Rank, Scale, destination[..taken]);
            start += taken;
            destination = destination[taken..];
        }
    }
}

/// <summary>
/// A weight with a LoRA update: W + (B·A)·scale, in float32, in the order of PEFT, computed for the elements that are asked for.
/// Source: Hu et al., LoRA, arXiv 2106.09685; scale = alpha / rank.
/// </summary>
/// <param name="source">W, [rows, columns].</param>
/// <param name="update">The factors.</param>
sealed class LowRankTensor(TensorSource source, LowRankUpdate update) : TensorSource
{
    bool _checked;

    /// <summary>W.</summary>
    public TensorSource Source => source;

    /// <summary>The factors.</summary>
    public LowRankUpdate Update => update;

    public override string Name => source.Name;

    public override Shape Shape => source.Shape;

    public override DType DType => source.DType;

    public override IEnumerable<StoredTensor> Stored => [.. source.Stored, update.Left, update.Right];

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        if (!_checked)
        {
            Finite.Check(update.Left, reader.Whole(update.Left));
            Finite.Check(update.Right, reader.Whole(update.Right));
            _checked = true;
        }
        source.Read(reader, start, destination);
        update.AddTo(reader, start, checked((int)source.Shape.RowLength), destination);
    }
}

/// <summary>Values of an adapter that are no numbers make a model of no numbers: better said when they are read.</summary>
static class Finite
{
    public static void Check(StoredTensor tensor, ReadOnlySpan<float> values)
    {
        if (TensorPrimitives.IsFiniteAll(values)) return;
        throw new RecallException($"{tensor.File.Path}: tensor {Quoted.Of(tensor.Name)} holds values that are not finite (NaN or "
            + "infinity); the training diverged, or the file is damaged");
    }
}
