using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;
using Recall.Tokenization;

namespace Recall.Tests.Representations;

/// <summary>From tokens to layer weights on the three tiny models of fixtures/recall, against PyTorch and NumPy.</summary>
public class RecallWeightsTests : TorchTests
{
    static readonly string[] Names = ["expert_a", "expert_b", "newest"];
    static readonly RecallOptions Float32 = new() { Compute = ComputeType.Float32, Count = 8 };

    public static TheoryData<string, double> Cases() => SimilarityTests.Cases();

    [Theory, MemberData(nameof(Cases))]
    public void WeightsOfTheWholePipelineAreThoseOfTheReference(string key, double temperature)
    {
        var expected = Expected()["similarity"]![key]!;
        var options = SimilarityTests.Options(expected) with { Compute = ComputeType.Float32, Temperature = temperature };
        var samples = Chosen((string)expected["pooling"]!);
        var weights = expected["weights"]!.AsObject().Single(entry => double.Parse(entry.Key) == temperature).Value!;

        var file = RecallWeights.Compute(Models(), 2, samples, options, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(Names, file.Models);
        Assert.Equal("newest", file.Reference);
        Assert.Equal(samples.Select(sample => sample.Row), file.Samples.Select(sample => sample.Row));
        Assert.Equal(5, file.Layers.Length);
        for (int layer = 0; layer < 5; layer++)
        {
            var found = file.Layers[layer];
            Assert.Equal(layer, found.Layer);
            if (found.Bandwidth is { } sigma) Assert.Equal(1, sigma / (double)expected["sigma"]![layer]!, 1e-5);
            for (int i = 0; i < 3; i++)
            {
                Assert.Equal((double)expected["S"]![layer]![i]!, found.Similarity[i], 1e-5);
                Assert.Equal((double)weights[layer]![i]!, found.Weights[i], temperature == 0.01 ? 1e-3 : 1e-4);
            }
        }
    }

    [Fact]
    public void TokensOfTheTextsAreThoseOfTheTokenizersLibrary()
    {
        var tokenizer = Tokenizer.Parse(File.ReadAllBytes(Fixtures.Path("recall", "tokenizer", "tokenizer.json")), "tokenizer.json");

        Assert.All(Candidates(), sample => Assert.Equal(sample.Ids, tokenizer.Encode(sample.Text).Take(40)));
    }

    [Theory]
    [InlineData("mean", Pooling.Mean)]
    [InlineData("last", Pooling.Last)]
    public void RepresentationsOfEveryModelAndLayerAreThoseOfTransformers(string name, Pooling pooling)
    {
        var golden = new GoldenStates(Fixtures.Path("recall", "representations.safetensors"));
        using var stream = new RepresentationStream(Models(), [.. Chosen(name).Select(sample => sample.Ids)], ComputeType.Float32);
        var reader = new TileReader();
        for (int layer = 0; layer <= stream.Layers; layer++)
        {
            if (layer == 0) stream.Embed(reader, TestContext.Current.CancellationToken);
            else stream.Block(layer, reader, TestContext.Current.CancellationToken);
            var states = stream.Pooled(pooling);
            for (int i = 0; i < 3; i++) AssertNear(golden[$"r.{name}.{Names[i]}.{layer}"].Values, states[i].Values);
        }
    }

    [Theory]
    [InlineData("mean", Pooling.Mean)]
    [InlineData("last", Pooling.Last)]
    public void CandidatesAtTheClusterLayerAreThoseOfTransformers(string name, Pooling pooling)
    {
        var golden = new GoldenStates(Fixtures.Path("recall", "representations.safetensors"));
        var (model, checkpoint) = Models()[2];

        var states = Represent.Pooled(model, checkpoint, [.. Candidates().Select(sample => sample.Ids)], Float32 with { Pooling = pooling }, default);

        AssertNear(golden[$"cluster.{name}"].Values, states.Values);
    }

    [Fact]
    public void StatesOfEveryTokenAreThoseOfTransformers()
    {
        var golden = new GoldenStates(Fixtures.Path("recall", "representations.safetensors"));
        var (model, checkpoint) = Models()[2];
        int[][] texts = [.. Candidates().Take(2).Select(sample => sample.Ids)];
        var options = new RepresentOptions { Pooling = null, Compute = ComputeType.Float32 };
        int layers = 0;

        Represent.Run(model, checkpoint, texts, options, states =>
        {
            var padded = golden.Floats($"states.newest.{states.Layer}");
            int row = padded.Length / 2;
            for (int text = 0; text < 2; text++)
                AssertNear(Doubles(padded.Skip(text * row).Take(48 * texts[text].Length)), Doubles(states.Tokens[text]));
            layers++;
        }, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(5, layers);
    }

    [Fact]
    public void LogitsAreThoseOfTransformers()
    {
        var golden = new GoldenStates(Fixtures.Path("recall", "representations.safetensors")).Floats("logits.newest");
        var (model, checkpoint) = Models()[2];
        int[][] texts = [.. Candidates().Take(2).Select(sample => sample.Ids)];
        var logits = new List<float[]>();
        var layers = new List<int>();

        Represent.Run(model, checkpoint, texts, new RepresentOptions { LastLayer = 1, Compute = ComputeType.Float32 },
            states => layers.Add(states.Layer), (_, scores) => logits.Add(scores), TestContext.Current.CancellationToken);

        Assert.Equal([0, 1], layers);
        for (int text = 0; text < 2; text++)
        {
            Assert.Equal(160 * texts[text].Length, logits[text].Length);
            AssertNear(Doubles(golden.Skip(text * 6 * 160).Take(6 * 160)), Doubles(logits[text].Take(6 * 160)));
        }
    }

    [Fact]
    public void LayersFromMemoryHaveTheSameBitsAsThoseFromTheFiles()
    {
        var samples = Chosen("mean");
        var whole = RecallWeights.Compute(Models(), 2, samples, Float32, cancellation: TestContext.Current.CancellationToken);
        var buffer = new LayerBuffer();
        var reader = new TileReader(buffer);

        using var weights = new RecallWeights(Models(), 2, samples, Float32);
        for (int layer = 0; layer <= weights.Layers; layer++)
        {
            buffer.Load(weights.Sources(layer).SelectMany(source => source.Stored), TestContext.Current.CancellationToken);
            var found = weights.Layer(layer, reader, TestContext.Current.CancellationToken);
            Assert.Equal(whole.Layers[layer].Similarity, found.Similarity);
            Assert.Equal(whole.Layers[layer].Weights, found.Weights);
        }
        Assert.Equal(whole.ToJson(), weights.ToFile().ToJson());
    }

    [Fact]
    public void ChoiceIsTheSameAgainAndStandsForAllCandidates()
    {
        var (name, newest) = Models()[2];
        var candidates = Candidates();

        var chosen = RecallWeights.Choose(name, newest, candidates, Float32, TestContext.Current.CancellationToken);

        Assert.Equal(8, chosen.Count);
        Assert.Equal(8, chosen.Select(sample => sample.Text).Distinct().Count());
        Assert.Equal(candidates.Count, chosen.Sum(sample => sample.ClusterSize));
        Assert.Equal(chosen.Select(sample => (sample.Row, sample.ClusterSize)),
            RecallWeights.Choose(name, newest, candidates, Float32, TestContext.Current.CancellationToken).Select(sample => (sample.Row, sample.ClusterSize)));
    }

    [Fact]
    public void InBFloat16TheWeightsAreNear()
    {
        var samples = Chosen("mean");
        var exact = RecallWeights.Compute(Models(), 2, samples, Float32, cancellation: TestContext.Current.CancellationToken);
        var near = RecallWeights.Compute(Models(), 2, samples, Float32 with { Compute = ComputeType.BFloat16 }, cancellation: TestContext.Current.CancellationToken);

        for (int layer = 0; layer < 5; layer++)
            for (int i = 0; i < 3; i++) Assert.Equal(exact.Layers[layer].Weights[i], near.Layers[layer].Weights[i], 0.01);
    }

    [Fact]
    public void TokensOutsideTheVocabularyNameModelAndText()
    {
        var samples = new[] { new Sample(0, "a", [1, 2]), new Sample(1, "b", [1, 160]) };

        var error = Assert.Throws<RecallException>(() => RecallWeights.Compute(Models(), 2, samples, Float32));

        Assert.StartsWith("expert_a: text 2 has the token id 160", error.Message);
    }

    [Fact]
    public void EmptyTextsNoTextsAndALayerThatIsNotThereAreRefused()
    {
        var (name, newest) = Models()[2];

        Assert.Contains("row 8 ", Assert.Throws<RecallException>(() => RecallWeights.Choose(name, newest, [new Sample(7, "", [])], Float32)).Message);
        Assert.Contains("no samples", Assert.Throws<RecallException>(() => RecallWeights.Compute(Models(), 2, [], Float32)).Message);
        foreach (int layer in new[] { 5, -6 })
        {
            var error = Assert.Throws<RecallException>(() => RecallWeights.Choose(name, newest, Candidates(), Float32 with { ClusterLayer = layer }));
            Assert.Contains($"cluster_layer: is {layer}, the model has layers 0 (the embedding) to 4", error.Message);
        }
    }

    [Fact]
    public void ModelsOfDifferentSizesAreRefused()
    {
        var other = ("architectures/llama", Checkpoint.Open(Fixtures.Path("architectures", "llama")));

        var error = Assert.Throws<RecallException>(() => RecallWeights.Compute([.. Models(), other], 2, Chosen("mean"), Float32));

        Assert.Contains("newest", error.Message.Replace("expert_a", "newest"));
        Assert.Contains("architectures/llama", error.Message);
    }

    [Fact]
    public void BrokenWeightsNameModelAndLayer()
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Fixtures.Path("recall", "expert_b"));
        var up = Checkpoint.Open(folder.Path).Find("model.layers.2.mlp.up_proj.weight")!.Verbatim!;
        using (var file = File.OpenHandle(folder["model.safetensors"], FileMode.Open, FileAccess.Write))
            RandomAccess.Write(file, BitConverter.GetBytes(float.NaN), up.Offset);
        (string, Checkpoint)[] models = [Models()[0], ("broken", Checkpoint.Open(folder.Path)), Models()[2]];

        var error = Assert.Throws<RecallException>(() => RecallWeights.Compute(models, 2, Chosen("mean"), Float32));

        Assert.StartsWith("broken: the output of block 2 (layer 3) holds NaN", error.Message);
    }

    static void AssertNear(double[] expected, double[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], 1e-4);
    }

    static double[] Doubles(IEnumerable<float> values) => [.. values.Select(value => (double)value)];

    static (string Name, Checkpoint Checkpoint)[] Models() => [.. Names.Select(name => (name, Checkpoint.Open(Fixtures.Path("recall", name))))];

    static JsonNode Expected() => GoldenStates.Json("recall", "expected.json");

    static List<Sample> Candidates()
    {
        var texts = File.ReadLines(Fixtures.Path("recall", "texts.jsonl")).Select(line => (string)JsonNode.Parse(line)!["text"]!);
        return [.. texts.Zip(Expected()["token_ids"].Deserialize<int[][]>()!, (text, ids) => (text, ids)).Select((pair, row) => new Sample(row, pair.text, pair.ids))];
    }

    static List<Sample> Chosen(string pooling) =>
        [.. Expected()[$"typical.{pooling}"]!["chosen"].Deserialize<int[]>()!.Select(row => Candidates()[row])];
}
