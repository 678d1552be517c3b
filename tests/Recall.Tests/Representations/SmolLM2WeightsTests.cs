using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Configuration;
using Recall.Representations;
using Recall.Tokenization;

namespace Recall.Tests.Representations;

/// <summary>
/// RECALL on a real model (SmolLM2-135M-Instruct, Q4_1) with five adapters, against PyTorch: tokens, representations, similarity and
/// weights.
/// </summary>
public class SmolLM2WeightsTests : TorchTests
{
    // The blocks above compute in the same way; all thirty were compared when this was written, and take minutes on a small machine.
    const int LastLayer = 1;

    [Fact]
    public void RepresentationsAndWeightsOfFiveAdaptersAreThoseOfPyTorch()
    {
        string folder = Fixtures.Shared("golden", "recall", "smollm2");
        var golden = new GoldenStates(Path.Combine(folder, "representations.safetensors"));
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "weights.json")))!;
        var names = expected["models"].Deserialize<string[]>()!;
        var @base = Checkpoint.Open(Fixtures.Shared("models", "SmolLM2-135M-Instruct.Q4_1.gguf"));
        var models = names.Select(name => (name, LoraAdapter.Open(Fixtures.Shared("adapters", name)).Apply(@base))).ToList();
        var tokenizer = Tokenizer.Load(@base);
        int[][] texts =
        [
            .. File.ReadLines(Path.Combine(folder, "samples.jsonl"))
                .Select(line => tokenizer.Encode((string)JsonNode.Parse(line)!["text"]!).Take(256).ToArray()),
        ];
        int reference = Array.IndexOf(names, (string)expected["reference"]!);
        using var stream = new RepresentationStream(models, texts, ComputeType.Float32);
        var reader = new TileReader();
        for (int layer = 0; layer <= LastLayer; layer++)
        {
            if (layer == 0) stream.Embed(reader, TestContext.Current.CancellationToken);
            else stream.Block(layer, reader, TestContext.Current.CancellationToken);
            var states = stream.Pooled(Pooling.Mean);
            foreach (var (name, found) in names.Zip(states))
                if (golden.Names.Contains($"{name}.layer.{layer}")) AssertNear(golden[$"{name}.layer.{layer}"].Values, found.Values);
            foreach (var kind in Enum.GetValues<SimilarityKind>())
                AssertWeights(expected, kind, ModelWeights.Of(layer, states, names, reference, new RecallOptions { Similarity = kind }));
        }
    }

    static void AssertWeights(JsonNode expected, SimilarityKind kind, ModelWeights found)
    {
        string word = kind.ToString().ToLowerInvariant();
        if (found.Bandwidth is { } sigma) Assert.Equal(1, sigma / (double)expected["bandwidth"]![found.Layer]!, 1e-4);
        for (int i = 0; i < found.Weights.Length; i++)
            Assert.Equal((double)expected["similarity"]![word]![found.Layer]![i]!, found.Similarity[i], 1e-4);
        foreach (var (temperature, tolerance) in new[] { (1.0, 1e-4), (0.1, 1e-3), (0.01, 1e-2) })
        {
            var weights = ModelWeights.Softmax(found.Similarity.AsSpan(), temperature);
            for (int i = 0; i < weights.Length; i++)
                Assert.Equal((double)expected["weights"]![$"{word}@T={temperature:0.0#}"]![found.Layer]![i]!, weights[i], tolerance);
        }
    }

    static void AssertNear(double[] expected, double[] found)
    {
        double tolerance = 1e-4 * Math.Max(1, expected.Max(Math.Abs));
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], tolerance);
    }
}
