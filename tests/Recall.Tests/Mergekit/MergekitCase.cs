using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Tests.Mergekit;

/// <summary>One case of the golden results of mergekit: a config, what mergekit wrote or how it failed, and how to compare.</summary>
sealed class MergekitCase(string root, string name)
{
    public string Folder { get; } = Path.Combine(root, "cases", name);

    public JsonObject Case { get; } = (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(root, "cases", name, "case.json")))!;

    public string Program => (string)Case["program"]!;

    public bool IsError => (bool?)Case["error"] == true;

    /// <summary>True where mergekit's result is a defect, so that a clear refusal is as good.</summary>
    public bool MayBeRefused =>
        (string?)Case["compare"] == "quirk" || ((string?)Case["quirk"])?.Contains("a refusal with a clear error is better") == true;

    public string[] Flags => [.. (Case["flags"] as JsonArray ?? []).Select(flag => (string)flag!)];

    public bool HasConfig => File.Exists(Path.Combine(Folder, "config.yaml"));

    /// <summary>The config with the paths of its models made absolute.</summary>
    public string ConfigText => Regex.Replace(File.ReadAllText(Path.Combine(Folder, "config.yaml")), @"(?<![\w/.-])(\./)?inputs/", $"$1{root}/inputs/")
        .Replace($"./{root}", $"{root}/.", StringComparison.Ordinal);

    public MergeConfig Config => MergeConfig.Parse(ConfigText, "config.yaml");

    public MergeOptions Options(string output)
    {
        var flags = Flags;
        int size = Array.IndexOf(flags, "--out-shard-size"), seed = Array.IndexOf(flags, "--random-seed");
        return new MergeOptions
        {
            Output = output,
            Threads = 2,
            Seed = seed < 0 ? 0 : long.Parse(flags[seed + 1]),
            AllowCrimes = flags.Contains("--allow-crimes"),
            ShardBytes = size < 0 ? MergeOptions.DefaultShardBytes : ByteSize(flags[size + 1]),
        };
    }

    static long ByteSize(string text) => char.ToLowerInvariant(text[^1]) switch
    {
        'k' => 1_000 * long.Parse(text[..^1]),
        'm' => 1_000_000 * long.Parse(text[..^1]),
        'b' => 1_000_000_000 * long.Parse(text[..^1]),
        _ => long.Parse(text),
    };

    /// <summary>
    /// Holds the output against what mergekit wrote; the largest difference in units of the tolerance's scale. Agreement with the same computed in
    /// float64 is as good, where the case has it.
    /// </summary>
    /// <param name="output">The folder or file that was written.</param>
    /// <param name="expectedFolder">What mergekit wrote.</param>
    /// <param name="apart">Tensors whose values the caller compares: here only their names, shapes and types are.</param>
    public double Compare(string output, string expectedFolder = "expected", Predicate<string>? apart = null)
    {
        string folder = Path.Combine(Folder, expectedFolder);
        var expected = (Path.Exists(folder) ? Checkpoint.Open(folder).Tensors : []).ToDictionary(tensor => tensor.Name);
        string proposed = Path.Combine(Folder, "proposed.safetensors");
        if (File.Exists(proposed))
            foreach (var tensor in Checkpoint.Open(proposed).Tensors) expected[tensor.Name] = tensor;
        var (worst, failure) = Compare(output, expected, apart, IsError ? 1e-6 : (string)Case["compare"]! == "exact" ? null : Case["tolerance"]);
        CaseOutcome.Compared(worst);    // with mergekit's own
        if (failure is not null && Case["exact"] is { } exact)
        {
            foreach (var tensor in Checkpoint.Open(Path.Combine(Folder, (string)exact["file"]!)).Tensors) expected[tensor.Name] = tensor;
            (worst, string? second) = Compare(output, expected, apart, exact["rtol"]);
            if (second is null) CaseOutcome.AgreesWithFloat64();
            failure = second is null ? null : $"{failure}; and in float64: {second}";
        }
        Assert.True(failure is null, failure);
        return worst;
    }

    static (double Worst, string? Failure) Compare(
        string output, Dictionary<string, TensorSource> expected, Predicate<string>? apart, JsonNode? tolerances)
    {
        var got = Checkpoint.Open(output);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), got.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        double worst = 0;
        foreach (var type in expected.Values.Select(tensor => tensor.DType).Distinct())
        {
            var names = expected.Values.Where(tensor => tensor.DType == type).Select(tensor => tensor.Name).ToList();
            var tolerance = tolerances is JsonObject byType ? byType[type.SafetensorsName()] : tolerances;
            // Written with three digits: 2^-7 as 0.00781.
            double rtol = 1.0005 * (tolerance is JsonObject ? (double)tolerance["rtol"]! : (double?)tolerance ?? 0);
            double share = (double?)(tolerance as JsonObject)?["outliers"] ?? 0;
            long elements = 0, beyond = 0;
            string? first = null;
            foreach (string tensorName in names)
            {
                var (want, have) = (expected[tensorName], got.Find(tensorName)!);
                Assert.Equal(want.Shape, have.Shape);
                Assert.Equal(want.DType, have.DType);
                if (apart?.Invoke(tensorName) == true) continue;
                var (wanted, found) = (Values(want), Values(have));
                double scale = Math.Sqrt(wanted.Sum(x => (double)x * x) / Math.Max(wanted.Length, 1));
                elements += wanted.Length;
                for (int i = 0; i < wanted.Length; i++)
                {
                    double difference = Math.Abs((double)wanted[i] - found[i]), limit = Math.Max(Math.Abs((double)wanted[i]), scale);
                    if (limit > 0) worst = Math.Max(worst, difference / limit);
                    if (difference <= rtol * limit) continue;
                    beyond++;
                    first ??= $"{tensorName}[{i}]: {found[i]:R}, expected {wanted[i]:R}";
                }
            }
            if (beyond > share * elements) return (worst, $"{beyond} of {elements} {type} elements beyond {rtol}: {first}");
        }
        return (worst, null);
    }

    /// <summary>Holds the output's tokenizer and chat template against mergekit's.</summary>
    public void CheckTokenizer(string output) => TokenizerComparison.Check(Case, Path.Combine(Folder, "expected"), output);

    public static float[] Values(TensorSource tensor)
    {
        var values = new float[tensor.Shape.Elements];
        var reader = new TileReader();
        reader.Begin(values.Length);
        tensor.Read(reader, 0, values);
        return values;
    }

    public void CheckConfig(string output)
    {
        var config = Checkpoint.ReadConfig(Path.Combine(output, "config.json"));
        foreach (var (key, value) in Case["config_check"] as JsonObject ?? [])
            Assert.Equal(value!.ToJsonString(), (key == "dtype" ? config["dtype"] ?? config["torch_dtype"] : config[key])?.ToJsonString());
    }
}
