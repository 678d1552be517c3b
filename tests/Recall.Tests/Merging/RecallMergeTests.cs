using System.Globalization;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Tests.Representations;

namespace Recall.Tests.Merging;

/// <summary>The whole way of a merge by representations, on the tiny models of fixtures/recall, against NumPy.</summary>
public sealed class RecallMergeTests : TorchTests, IDisposable
{
    static readonly JsonNode Expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("recall", "expected.json")))!;

    readonly TemporaryFolder _folder = new();

    /// <summary>The chosen texts as `recall select` writes them, with the token ids of the reference.</summary>
    string Samples(params int[]? rows)
    {
        rows = rows is { Length: > 0 } ? rows : [.. Expected["typical.mean"]!["chosen"]!.AsArray().Select(row => (int)row!)];
        string path = _folder["samples.jsonl"];
        File.WriteAllLines(path, rows.Select(row => new JsonObject
        {
            ["text"] = $"text {row}", ["ids"] = Expected["token_ids"]![row]!.DeepClone(), ["row"] = row, ["cluster_size"] = 1,
        }.ToJsonString()));
        return path;
    }

    string Yaml(string recall, string more = "", params string[] models)
    {
        if (models.Length == 0) models = ["expert_a", "expert_b", "newest"];
        return $"merge_method: recall\nmodels: [{string.Join(", ", models.Select(name => Fixtures.Path("recall", name)))}]\nrecall: {{{recall}}}\n{more}";
    }

    MergeResult Run(string yaml, string output, int threads = 2, string? weights = null) => MergeRun.Run(
        MergeConfig.Parse(yaml, "merge.yaml"), new MergeOptions { Output = _folder[output], Threads = threads, WeightsFile = weights, JournalInterval = TimeSpan.Zero });

    public static TheoryData<string> Merges() => [.. Expected["merged"]!.AsObject().Select(entry => entry.Key)];

    [Theory, MemberData(nameof(Merges))]
    public void MergedModelIsThatOfTheReference(string name)
    {
        var @case = Expected["merged"]![name]!;
        string[] kind = ((string)@case["similarity"]!).Split('.');
        double temperature = (double)@case["temperature"]!, lambda = (double)@case["lam"]!;
        string combine = (string)@case["combine"]!;
        string yaml = Yaml(
            $"samples: {Samples()}, similarity: {kind[1]}, temperature: {temperature.ToString(CultureInfo.InvariantCulture)}, combine: {combine}, compute: float32, max_tokens: 40",
            $"dtype: {@case["dtype"]}\n" + (combine == "linear" ? "" : $"base_model: {Fixtures.Path("recall", "base")}\nparameters: {{lambda: {lambda.ToString(CultureInfo.InvariantCulture)}}}\n"));

        Run(yaml, "out");

        var got = Checkpoint.Open(_folder["out"]);
        var wanted = Checkpoint.Open(Fixtures.Path("recall", "merged", name));
        Assert.Equal(wanted.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), got.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        foreach (var tensor in wanted.Tensors)
        {
            var (a, b) = (Values(tensor), Values(got.Find(tensor.Name)!));
            Assert.Equal(tensor.DType, got.Find(tensor.Name)!.DType);
            // Weights agree to 1e-4 (1e-3 at T = 0.01), models differ by less than 1; bfloat16 has steps of 2^-8.
            double limit = tensor.DType == DType.BF16 ? 1.0 / 128 : temperature < 0.05 ? 1e-3 : 1e-4;
            for (int i = 0; i < a.Length; i++)
                Assert.True(Math.Abs(a[i] - b[i]) <= limit * Math.Max(1, Math.Abs(a[i])), $"{tensor.Name}[{i}]: {b[i]:R}, reference {a[i]:R}");
        }
    }

    [Fact]
    public void WithTheExactWeightsTheMergeIsExact()
    {
        var similarity = Expected["similarity"]!["mean.rbf.median"]!;
        var weights = similarity["weights"]!["0.1"]!.AsArray();
        string file = _folder["weights.json"];
        File.WriteAllText(file, new JsonObject
        {
            ["models"] = new JsonArray([.. new[] { "expert_a", "expert_b", "newest" }.Select(name => (JsonNode)Fixtures.Path("recall", name))]),
            ["reference"] = Fixtures.Path("recall", "newest"),
            ["samples"] = new JsonArray(),
            ["layers"] = new JsonArray([.. weights.Select((layer, l) => (JsonNode)new JsonObject
            {
                ["layer"] = l, ["bandwidth"] = similarity["sigma"]![l]!.DeepClone(), ["similarity"] = similarity["S"]![l]!.DeepClone(), ["weights"] = layer!.DeepClone(),
            })]),
        }.ToJsonString());

        Run(Yaml("temperature: 0.1", "dtype: float32\n"), "out", weights: file);

        var got = Checkpoint.Open(_folder["out"]);
        foreach (var tensor in Checkpoint.Open(Fixtures.Path("recall", "merged", "rbf-T0.1")).Tensors)
        {
            var (a, b) = (Values(tensor), Values(got.Find(tensor.Name)!));
            for (int i = 0; i < a.Length; i++) Assert.True(Math.Abs(a[i] - b[i]) <= 1e-6, $"{tensor.Name}[{i}]: {b[i]:R}, reference {a[i]:R}");
        }
    }

    [Fact]
    public void WeightsComputedBeforeGiveTheSameBytesOnAnyNumberOfThreads()
    {
        string yaml = Yaml($"samples: {Samples()}, temperature: 0.05");
        var direct = Run(yaml, "direct", threads: 1);
        direct.Weights!.Write(_folder["weights.json"]);
        Run(yaml, "by-weights", threads: 7, weights: _folder["weights.json"]);
        Run(yaml, "again", threads: 3);
        Assert.Equal(TinyModel.Bytes(_folder["direct"]), TinyModel.Bytes(_folder["by-weights"]));
        Assert.Equal(TinyModel.Bytes(_folder["direct"]), TinyModel.Bytes(_folder["again"]));
    }

    [Fact]
    public void AStoppedMergeGoesOnToTheSameBytes()
    {
        string yaml = Yaml($"samples: {Samples()}, temperature: 0.05");
        Run(yaml, "whole");
        using var cancellation = new CancellationTokenSource();
        var options = new MergeOptions { Output = _folder["out"], Threads = 1, JournalInterval = TimeSpan.Zero };
        var stop = new Listener(progress => { if (progress.BytesDone > progress.BytesTotal / 2) cancellation.Cancel(); });
        Assert.ThrowsAny<OperationCanceledException>(() => MergeRun.Run(MergeConfig.Parse(yaml, "merge.yaml"), options, stop, cancellation.Token));
        Assert.False(File.Exists(_folder["out", "config.json"]));
        MergeRun.Run(MergeConfig.Parse(yaml, "merge.yaml"), options);
        Assert.Equal(TinyModel.Bytes(_folder["whole"]), TinyModel.Bytes(_folder["out"]));
    }

    [Fact]
    public void SlerpOfTwoModelsGoesByTheWeightOfTheSecond()
    {
        var result = Run(Yaml($"samples: {Samples()}, combine: slerp, temperature: 0.05", "", "expert_a", "newest"), "out");
        Assert.All(result.Weights!.Layers, layer => Assert.True(layer.Weights[1] >= layer.Weights[0]));
        var got = Checkpoint.Open(_folder["out"]);
        var (a, b) = (Checkpoint.Open(Fixtures.Path("recall", "expert_a")), Checkpoint.Open(Fixtures.Path("recall", "newest")));
        foreach (var tensor in got.Tensors)
        {
            // Between the two: nearer to the second than they are to each other.
            var (x, y, z) = (Values(a.Find(tensor.Name)!), Values(b.Find(tensor.Name)!), Values(tensor));
            Assert.True(Distance(z, y) <= Distance(x, y), tensor.Name);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    public void AnEmptySampleFileIsNamed(string content)
    {
        File.WriteAllText(_folder["samples.jsonl"], content);
        Has(Refused($"samples: {_folder["samples.jsonl"]}"), "samples.jsonl", "no texts");
    }

    [Fact]
    public void OneSampleHasNoMedianDistanceAndTheCureIsNamed() => Has(Refused($"samples: {Samples(3)}"), "bandwidth");

    [Fact]
    public void OneSampleWithAnOwnBandwidthWillDo() => Assert.NotNull(Run(Yaml($"samples: {Samples(3)}, bandwidth: 2.0"), "out").Weights);

    [Fact]
    public void FewerDistinctTextsThanAskedForAreAllTaken() =>
        Assert.Equal(3, Run(Yaml($"samples: {Samples(3, 4, 5)}, count: 20"), "out").Weights!.Samples.Length);

    [Fact]
    public void LongTextsAreCutToMaxTokens() =>
        Assert.All(Run(Yaml($"samples: {Samples()}, max_tokens: 5"), "out").Weights!.Samples, sample => Assert.InRange(sample.Ids.Length, 1, 5));

    [Fact]
    public void WithoutSamplesTheKeyIsNamed() => Has(Refused("count: 3"), "merge.yaml:3:", "samples: is missing");

    [Fact]
    public void WeightsOfOtherModelsAreRefused()
    {
        Run(Yaml($"samples: {Samples()}"), "first").Weights!.Write(_folder["weights.json"]);
        var error = Assert.ThrowsAny<RecallException>(() => Run(Yaml("temperature: 1", "", "expert_b", "expert_a", "newest"), "out", weights: _folder["weights.json"]));
        Has(error, "weights.json", "another order");
    }

    RecallException Refused(string recall)
    {
        var error = Assert.ThrowsAny<RecallException>(() => Run(Yaml(recall), "out"));
        Assert.False(Directory.Exists(_folder["out"]) && Directory.EnumerateFiles(_folder["out"], "*.safetensors").Any());
        return error;
    }

    static void Has(RecallException error, params string[] parts)
    {
        foreach (string part in parts) Assert.Contains(part, error.Message);
    }

    static double Distance(float[] x, float[] y) => Math.Sqrt(x.Zip(y, (a, b) => ((double)a - b) * ((double)a - b)).Sum());

    static float[] Values(TensorSource tensor)
    {
        var values = new float[tensor.Shape.Elements];
        tensor.Read(new TileReader(), 0, values);
        return values;
    }

    public void Dispose() => _folder.Dispose();
}
