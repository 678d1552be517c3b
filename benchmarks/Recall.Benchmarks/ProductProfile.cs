using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Recall.Benchmarks;

/// <summary>
/// Runs a command on one thread of libtorch and shows which part of its time goes into matrix products and decompositions: MKL and oneDNN
/// tell of every call and its time when their environment variables ask for it. On a loaded machine both this and the whole are longer.
/// </summary>
static partial class ProductProfile
{
    public static void Run(Arguments arguments)
    {
        arguments.Finish();
        if (arguments.Rest.Count == 0) throw new ConfigurationException("the command is missing: products -- COMMAND …");
        var start = new ProcessStartInfo(arguments.Rest[0])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment = { ["MKL_VERBOSE"] = "1", ["ONEDNN_VERBOSE"] = "profile_exec", ["OMP_NUM_THREADS"] = "1" },
        };
        foreach (string argument in arguments.Rest.Skip(1)) start.ArgumentList.Add(argument);
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        var kinds = new Dictionary<string, (int Calls, double Seconds)>();
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (Read(line) is not var (kind, seconds)) continue;
            var (calls, sum) = kinds.GetValueOrDefault(kind);
            kinds[kind] = (calls + 1, sum + seconds);
        }
        process.WaitForExit();
        double whole = clock.Elapsed.TotalSeconds;
        if (process.ExitCode != 0) throw new RecallException($"{arguments.Rest[0]} ended with {process.ExitCode}");
        Console.WriteLine("| | calls | s | % |\n|---|---|---|---|");
        foreach (var (kind, (calls, seconds)) in kinds.OrderByDescending(kind => kind.Value.Seconds)) Row(kind, calls, seconds);
        Row("all else", null, whole - kinds.Values.Sum(kind => kind.Seconds));
        Row("whole", null, whole);
        void Row(string kind, int? calls, double seconds) => Console.WriteLine($"| {kind} | {calls} | {seconds:F1} | {100 * seconds / whole:F1} |");
    }

    static (string Kind, double Seconds)? Read(string line)
    {
        if (MklCall().Match(line) is { Success: true } call)
            return (KindOf(call.Groups["routine"].Value), Number(call.Groups["time"].Value) * call.Groups["unit"].Value switch
            {
                "ns" => 1e-9,
                "us" => 1e-6,
                "ms" => 1e-3,
                _ => 1,
            });
        if (OneDnnCall().Match(line) is not { Success: true } primitive) return null;
        string type = primitive.Groups["primitive"].Value is "matmul" or "inner_product" && line.Contains("src:bf16", StringComparison.Ordinal)
            ? "products in bfloat16" : $"oneDNN: {primitive.Groups["primitive"].Value}";
        return (type, Number(primitive.Groups["time"].Value) / 1e3);
    }

    static string KindOf(string routine) => routine switch
    {
        ['S', 'G', 'E', 'M', ..] => "products in float32",
        ['D', 'G', 'E', 'M', ..] => "products in float64",
        [_, 'P', 'O', ..] or [_, 'T', 'R', 'S', ..] => "solving: Cholesky factors, triangular systems",
        _ when routine.Contains("QR", StringComparison.Ordinal) => "orthogonal bases (QR)",
        [_, 'S', 'Y', 'E', 'V', ..] => "eigenpairs",
        _ => routine,
    };

    static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^MKL_VERBOSE (?<routine>[A-Z0-9_]+)\(.*\) (?<time>[\d.]+)(?<unit>ns|us|ms|s) ")]
    private static partial Regex MklCall();

    [GeneratedRegex(@"^onednn_verbose,v1,primitive,exec,cpu,(?<primitive>\w+),.*,(?<time>[\d.]+)$")]
    private static partial Regex OneDnnCall();
}
