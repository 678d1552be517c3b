using System.Diagnostics;

namespace Recall.Benchmarks;

/// <summary>What one run of a command took.</summary>
/// <param name="Seconds">From start to exit.</param>
/// <param name="PeakBytes">
/// Largest resident memory: VmHWM of /proc, read every two milliseconds. (ru_maxrss of wait4 would count the memory of this process too, which the
/// child shares until its exec.)
/// </param>
readonly record struct Measured(double Seconds, long PeakBytes)
{
    public static Measured Run(IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(start) ?? throw new RecallException($"{command[0]}: cannot be started");
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        long peak = 0;
        string status = $"/proc/{process.Id}/status";
        while (!process.WaitForExit(2)) peak = Math.Max(peak, HighWater(status));
        double seconds = watch.Elapsed.TotalSeconds;
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new RecallException($"{string.Join(' ', command)}: exit {process.ExitCode}\n{output.Result}{errors.Result}");
        return new Measured(seconds, peak);
    }

    static long HighWater(string status)
    {
        try
        {
            foreach (string line in File.ReadLines(status))
                if (line.StartsWith("VmHWM:", StringComparison.Ordinal)) return long.Parse(line.AsSpan(6).Trim().ToString().Split(' ')[0]) * 1024;
        }
        catch (IOException)
        {
            // The process has just ended.
        }
        return 0;
    }
}
