using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;
using Recall.Streaming;

namespace Recall.Cli.Commands;

/// <summary>Runs a plan before a person's eyes: progress while it runs, what was written when it is done.</summary>
static class MergeShow
{
    /// <summary>Plans a merge, shows what is to be known of it, and runs it.</summary>
    public static void Run(MergeConfig config, MergeOptions options, Screen screen, bool json, CancellationToken cancellation)
    {
        var plan = MergePlan.Make(config, options);
        foreach (string note in plan.Notes) screen.Note($"note: {Shown.Text(note)}");
        Run(plan, screen, json, cancellation);
    }

    public static void Run(MergePlan plan, Screen screen, bool json, CancellationToken cancellation)
    {
        long begin = screen.Time.GetTimestamp();
        MergeResult result;
        try
        {
            using var progress = new ProgressLine(screen);
            result = MergeRun.Run(plan, new MergeReporter(progress), cancellation);
        }
        catch (OperationCanceledException) when (File.Exists(Path.Combine(plan.Options.Output, Journal.FileName)))
        {
            screen.Note($"note: {plan.Options.Output} keeps what is finished; the same command goes on from there");
            throw;
        }
        foreach (string note in result.Plan.Notes.Skip(plan.Notes.Length)) screen.Note($"note: {Shown.Text(note)}");
        var time = screen.Time.GetElapsedTime(begin);
        var done = new Merged(
            plan.Options.Output, [.. plan.Shards.Select(shard => shard.Name)], plan.Tensors.Length,
            plan.Tensors.Sum(tensor => tensor.Shape.Elements), plan.Cost.OutputBytes, plan.Cost.BytesToRead,
            Math.Round(time.TotalSeconds, 3));
        if (json)
        {
            screen.WriteJson(done);
            return;
        }
        if (result.Weights is { } weights && !screen.Quiet) WeightsTable.Write(weights, screen);
        string files = done.Files.Count == 1 ? "one file" : $"{done.Files.Count} files";
        screen.Out.WriteLine(
            $"{done.Output}: {Shown.Count(done.Tensors)} tensors, {Shown.Bytes(done.Bytes)} in {files}, "
            + $"{Shown.Duration(time)} ({Shown.Bytes(done.BytesRead)} read)");
    }

    /// <summary>What was written, for scripts.</summary>
    sealed record Merged(
        string Output, IReadOnlyList<string> Files, int Tensors, long Parameters, long Bytes, long BytesRead, double Seconds);
}

/// <summary>Shows how far a merge is.</summary>
sealed class MergeReporter(ProgressLine line) : IProgress<MergeProgress>
{
    public void Report(MergeProgress value) => line.Report(value.Stage, value.BytesDone, value.BytesTotal);
}
