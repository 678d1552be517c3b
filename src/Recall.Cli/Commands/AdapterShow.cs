using System.Globalization;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary>Merges adapters into one before a person's eyes.</summary>
static class AdapterShow
{
    public static void Run(MergeConfig config, MergeOptions options, int? rank, Screen screen, bool json, CancellationToken cancellation)
    {
        long begin = screen.Time.GetTimestamp();
        AdapterMergeResult result;
        using (var progress = new ProgressLine(screen))
            result = AdapterMerge.Run(config, options, rank, (layer, layers) =>
                progress.Report($"layer {Math.Min(layer + 1, layers)} of {layers}", (layer + 1.0) / layers), cancellation);
        foreach (string note in result.Plan.Notes) screen.Note($"note: {Shown.Text(note)}");
        var time = screen.Time.GetElapsedTime(begin);
        var worst = result.Losses.MaxBy(loss => loss.Lost)!;
        var done = new Merged(
            options.Output, result.Losses.Max(loss => loss.Rank), result.Losses.Count,
            new FileInfo(Path.Combine(options.Output, "adapter_model.safetensors")).Length,
            result.Losses.Average(loss => loss.Lost), worst.Lost, worst.Module, Math.Round(time.TotalSeconds, 3));
        if (json)
        {
            screen.WriteJson(done);
            return;
        }
        string lost = done.MostLost > 0
            ? $"of their updates {Percent(done.MeanLost)} lost in the mean, {Percent(done.MostLost)} at most ({done.MostLostModule})" : "nothing lost";
        screen.Out.WriteLine(
            $"{done.Output}: adapter of rank {done.Rank} on {(done.Layers == 1 ? "one layer" : $"{Shown.Count(done.Layers)} layers")}, {lost}, {Shown.Bytes(done.Bytes)}, {Shown.Duration(time)}");
    }

    static string Percent(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    /// <summary>What was written, for scripts. Losses are shares of the squared norm of a layer's update, 0 … 1.</summary>
    sealed record Merged(
        string Output, int Rank, int Layers, long Bytes, double MeanLost, double MostLost, string MostLostModule, double Seconds);
}
