using Recall.Planning;

namespace Recall.Streaming;

/// <summary>How far a merge is.</summary>
/// <param name="Stage">What is being done: <c>merging</c>, <c>layer 3 of 30</c>.</param>
/// <param name="BytesDone">Bytes of the output that are in their place.</param>
/// <param name="BytesTotal">Bytes of the output.</param>
public readonly record struct MergeProgress(string Stage, long BytesDone, long BytesTotal);

/// <summary>Counts the output's bytes.</summary>
sealed class ProgressMeter(MergePlan plan, IProgress<MergeProgress>? progress)
{
    readonly long _total = plan.Tensors.Sum(tensor => tensor.Length);
    long _done;

    /// <summary>What is being done.</summary>
    public string Stage { get; set; } = "merging";

    /// <summary>Bytes that a tile has brought to their place.</summary>
    public void Add(int bytes) => progress?.Report(new MergeProgress(Stage, Interlocked.Add(ref _done, bytes), _total));

    /// <summary>Bytes that an earlier run has left.</summary>
    public void Skip(long bytes) => Interlocked.Add(ref _done, bytes);

    /// <summary>Reports the stage where no bytes are written.</summary>
    public void Tell(string stage)
    {
        Stage = stage;
        progress?.Report(new MergeProgress(stage, Interlocked.Read(ref _done), _total));
    }
}
