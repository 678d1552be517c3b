using System.Text.Json.Nodes;
using Recall.Configuration;
using Recall.Representations;

namespace Recall.Tests.Representations;

/// <summary>Similarity and weights from the exact representations of fixtures/recall, and where there are none.</summary>
public class SimilarityTests
{
    static readonly string[] Models = ["expert_a", "expert_b", "newest"];

    public static TheoryData<string, double> Cases() =>
        new(Similarities().SelectMany(entry => entry.Value!["weights"]!.AsObject().Select(weights => (entry.Key, double.Parse(weights.Key)))));

    [Theory, MemberData(nameof(Cases))]
    public void EqualsNumPyFromTheSameRepresentations(string key, double temperature)
    {
        var expected = Similarities()[key]!;
        var options = Options(expected) with { Temperature = temperature };
        var weights = expected["weights"]!.AsObject().Single(entry => double.Parse(entry.Key) == temperature).Value!;
        var states = new GoldenStates(Fixtures.Path("recall", "representations.safetensors"));
        for (int layer = 0; layer <= 4; layer++)
        {
            PooledStates[] representations = [.. Models.Select(model => states[$"r.{(string)expected["pooling"]!}.{model}.{layer}"])];

            var found = ModelWeights.Of(layer, representations, Models, 2, options);

            if ((string)expected["similarity"]! == "rbf") Near((double)expected["sigma"]![layer]!, found.Bandwidth!.Value);
            else Assert.Null(found.Bandwidth);
            for (int i = 0; i < Models.Length; i++)
            {
                Near((double)expected["S"]![layer]![i]!, found.Similarity[i]);
                Near((double)weights[layer]![i]!, found.Weights[i]);
            }
        }
    }

    [Fact]
    public void OneSampleHasNoMedianDistanceAndTheErrorAsksForANumber()
    {
        var states = States([1, 2, 3]);

        var error = Assert.Throws<RecallException>(() => ModelWeights.Of(3, [states, states], ["a", "b"], 1, new RecallOptions()));

        Assert.Contains("one typical sample", error.Message);
        Assert.Contains("layer 3", error.Message);
        Assert.Contains("bandwidth: 10", error.Message);
        Assert.Equal([0.5, 0.5], ModelWeights.Of(3, [states, states], ["a", "b"], 1, new RecallOptions { Bandwidth = 10 }).Weights);
    }

    [Theory]
    [InlineData(SimilarityKind.Rbf)]
    [InlineData(SimilarityKind.Cka)]
    public void SamplesThatAreAllAlikeAreRefused(SimilarityKind kind)
    {
        var alike = States([0.1, 0.2, 0.7], [0.1, 0.2, 0.7], [0.1, 0.2, 0.7]);

        var error = Assert.Throws<RecallException>(() => ModelWeights.Of(0, [alike, alike], ["a", "b"], 1, new RecallOptions { Similarity = kind }));

        Assert.Contains("alike", error.Message);
        Assert.Contains("number", error.Message);
    }

    [Theory]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "infinity")]
    public void ValuesThatAreNotFiniteNameModelAndLayer(double value, string word)
    {
        var good = States([1, 2], [3, 4]);
        var bad = States([1, 2], [3, value]);

        var error = Assert.Throws<RecallException>(() => ModelWeights.Of(5, [good, bad, good], ["a", "models/b", "c"], 2, new RecallOptions()));

        Assert.StartsWith("models/b: ", error.Message);
        Assert.Contains("block 4 (layer 5)", error.Message);
        Assert.Contains(word, error.Message);
    }

    [Fact]
    public void CosineIsAtLeastZeroAndKnowsZeroVectors()
    {
        Assert.Equal(0, Similarity.Cosine(States([1, 0]), States([-1, 0])));
        Assert.Equal(1, Similarity.Cosine(States([0, 0]), States([0, 0])));
        Assert.Equal(0, Similarity.Cosine(States([0, 0]), States([1, 0])));
    }

    [Fact]
    public void SoftmaxOfASmallTemperatureDoesNotOverflow() =>
        Assert.Equal([0, 1, 0], ModelWeights.Softmax([0.5, 1, -3], 1e-9));

    static PooledStates States(params double[][] rows)
    {
        var states = new PooledStates(rows.Length, rows[0].Length);
        for (int j = 0; j < rows.Length; j++) rows[j].CopyTo(states[j]);
        return states;
    }

    internal static RecallOptions Options(JsonNode expected) => new()
    {
        Pooling = (string)expected["pooling"]! == "mean" ? Pooling.Mean : Pooling.Last,
        Similarity = Enum.Parse<SimilarityKind>((string)expected["similarity"]!, ignoreCase: true),
        Bandwidth = expected["bandwidth"] is JsonValue value && value.TryGetValue(out double number) ? number : null,
    };

    static JsonObject Similarities() => GoldenStates.Json("recall", "expected.json")["similarity"]!.AsObject();

    static void Near(double expected, double found) => Assert.Equal(expected, found, 1e-12 * Math.Max(1, Math.Abs(expected)));
}
