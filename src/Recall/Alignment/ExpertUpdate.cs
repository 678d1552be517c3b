using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// τ = W − W_base of some rows of a linear layer, in double precision: as a matrix, or as the factors B·A of an adapter on the same base,
/// with which a product with second moments costs next to nothing.
/// </summary>
sealed record ExpertUpdate : IDisposable
{
    /// <summary>τ: [out, in]; null where it is given by factors.</summary>
    public Tensor? Matrix { get; private init; }

    /// <summary>B, the scale in it: [out, rank].</summary>
    public Tensor? Left { get; private init; }

    /// <summary>A: [rank, in].</summary>
    public Tensor? Right { get; private init; }

    /// <summary>τ·M.</summary>
    public Tensor Times(Func<Tensor, Tensor> product)
    {
        // M by its product from the left, [k, in] → [k, in]; gives [out, in]
        using var scope = NewDisposeScope();
        return (Matrix is not null ? product(Matrix) : Left!.Product(product(Right!))).MoveToOuterDisposeScope();
    }

    /// <summary>τ itself.</summary>
    public Tensor Whole() => Matrix ?? Left!.Product(Right!);

    /// <summary>Reads rows of an expert's update.</summary>
    /// <param name="baseTensor">The base's whole tensor.</param>
    /// <param name="baseRows">Its rows, read: [rows, in] double.</param>
    /// <param name="expert">The expert's whole tensor.</param>
    /// <param name="first">The first row.</param>
    /// <param name="reader">Reads.</param>
    public static ExpertUpdate Read(TensorSource baseTensor, Tensor baseRows, TensorSource expert, long first, TileReader reader)
    {
        using var scope = NewDisposeScope();
        long rows = baseRows.shape[0];
        if (Factors(baseTensor, expert, reader) is var (left, right))
        {
            return new ExpertUpdate
            {
                Left = left.narrow(0, first, rows).to_type(ScalarType.Float64, copy: true).MoveToOuterDisposeScope(),
                Right = right.to_type(ScalarType.Float64).MoveToOuterDisposeScope(),
            };
        }
        var values = Rows(expert, first, rows, reader);
        return new ExpertUpdate { Matrix = values.to_type(ScalarType.Float64).Minus(baseRows).MoveToOuterDisposeScope() };
    }

    /// <summary>
    /// The factors of an adapter on this base: B with the scale [out, rank], A [rank, in]; null where the tensor is something else.
    /// </summary>
    public static (Tensor Left, Tensor Right)? Factors(TensorSource baseTensor, TensorSource expert, TileReader reader)
    {
        bool transposed = expert is TransposedTensor;
        if (As(expert) is not LowRankTensor { Update: { LeftOffset: 0, RightOffset: 0 } update } adapted
            || update.Transposed != transposed || (!transposed && update.LeftRankStride != 1)) return null;
        if (!SameStored(adapted.Source, As(baseTensor))) return null;
        // Of a matrix stored [in, out] the left factor is A, the right one B.
        var (b, a) = transposed ? (update.Right, update.Left) : (update.Left, update.Right);
        reader.BeginTensor();
        var left = tensor(reader.Whole(b).ToArray(), [b.Shape[0], b.Shape[1]]);
        var right = tensor(reader.Whole(a).ToArray(), [a.Shape[0], a.Shape[1]]);
        return (left.to_type(ScalarType.Float64).Scaled(update.Scale), right);
    }

    /// <summary>Whether two tensors are made of the same stored ones in the same way.</summary>
    public static bool SameStored(TensorSource one, TensorSource other) =>
        As(one).GetType() == As(other).GetType() && one.Shape == other.Shape
        && one.Stored.Select(Place).SequenceEqual(other.Stored.Select(Place));

    static TensorSource As(TensorSource source) => source is TransposedTensor turned ? turned.Source : source;

    static (string, long) Place(StoredTensor stored) => (Path.GetFullPath(stored.File.Path), stored.Offset);

    /// <summary>Rows of a matrix in float32: [rows, in].</summary>
    public static Tensor Rows(TensorSource source, long first, long rows, TileReader reader)
    {
        var values = empty([rows, source.Shape.RowLength], ScalarType.Float32);
        new RowRange(source, first, rows).ReadInto(values, reader);
        return values;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Matrix?.Dispose();
        Left?.Dispose();
        Right?.Dispose();
    }
}
