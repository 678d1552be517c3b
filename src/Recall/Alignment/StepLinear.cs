using Recall.Checkpoints;
using Recall.Representations;

namespace Recall.Alignment;

/// <summary>A linear layer of a step.</summary>
/// <param name="Linear">Its name in the step.</param>
/// <param name="Name">The tensor in the checkpoint that holds its weight.</param>
/// <param name="Shape">The weight's shape as the layer computes with it: [out, in].</param>
readonly record struct StepLinear(string Linear, string Name, Shape Shape)
{
    /// <summary>The tensor's shape.</summary>
    public Shape StoredShape { get; private init; } = Shape;

    /// <summary>Its weight is stored [in, out].</summary>
    public bool Transposed { get; private init; }

    /// <summary>The first of its rows in the tensor, in which several layers may be stacked.</summary>
    public long FirstRow { get; private init; }

    /// <summary>A layer of a block.</summary>
    public static StepLinear Of(BlockOptions options, int layer, BlockLinear linear) =>
        new(linear.Name, options.NameOf(layer, linear.Tensor), linear.Shape)
        {
            StoredShape = linear.StoredShape,
            Transposed = linear.Transposed,
            FirstRow = (long)linear.StackIndex * linear.Outputs,
        };

    /// <summary>Its weight in a model, [out, in].</summary>
    /// <exception cref="RecallException">Not there, or of another shape.</exception>
    public TensorSource Source(Checkpoint model, TileReader reader) => View(model.Require(Name, StoredShape), reader);

    /// <summary>Its weight in the tensor that holds it, [out, in].</summary>
    public TensorSource View(TensorSource stored, TileReader reader)
    {
        if (Transposed) return new TransposedTensor(stored, reader);
        return StoredShape == Shape ? stored : new RowRange(stored, FirstRow, Shape[0]);
    }
}
