using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>A tensor that a merge is yet to write: later merges can be planned with it; it has no values yet.</summary>
sealed class PlannedTensor(OutputTensor tensor) : TensorSource
{
    /// <inheritdoc/>
    public override string Name => tensor.Name;

    /// <inheritdoc/>
    public override Shape Shape => tensor.Shape;

    /// <inheritdoc/>
    public override DType DType => tensor.DType;

    /// <inheritdoc/>
    public override StoredTensor? Verbatim => tensor.Copied;

    /// <inheritdoc/>
    public override IEnumerable<StoredTensor> Stored => [];

    /// <inheritdoc/>
    public override void Read(TileReader reader, long start, Span<float> destination) =>
        throw new InvalidOperationException($"{Name} is planned, not written");

    /// <summary>The checkpoint that a plan will write.</summary>
    public static Checkpoint Output(MergePlan plan)
    {
        var tensors = plan.Tensors.Select(tensor => new PlannedTensor(tensor)).ToList();
        return new Checkpoint(plan.Options.Output, (JsonObject)plan.OutputConfig.DeepClone(), tensors, plan.Files);
    }
}
