using Recall.Streaming;

namespace Recall.Tests.Merging;

/// <summary>Hears of a merge's progress at once, on the thread that reports it.</summary>
sealed class Listener(Action<MergeProgress> body) : IProgress<MergeProgress>
{
    public void Report(MergeProgress value) => body(value);
}
