using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Recall.Representations;

namespace Recall.Tests.Representations;

/// <summary>The choice of samples, against fixtures/recall.</summary>
public class TypicalSamplesTests
{
    static readonly string[] Texts = [.. File.ReadLines(Fixtures.Path("recall", "texts.jsonl")).Select(line => (string)JsonNode.Parse(line)!["text"]!)];

    [Theory]
    [InlineData("mean")]
    [InlineData("last")]
    public void ClustersFromTheGivenStartAndTheirNearestMembersAreThoseOfScikitLearn(string pooling)
    {
        var golden = new GoldenStates(Fixtures.Path("recall", "representations.safetensors"));
        var expected = GoldenStates.Json("recall", "expected.json")[$"typical.{pooling}"]!;
        var points = golden[$"cluster.{pooling}"];
        var start = points.Take(expected["initial_centres_from_texts"].Deserialize<int[]>()!);

        var clusters = KMeans.Lloyd(points, start, TestContext.Current.CancellationToken);

        Assert.Equal(expected["labels"].Deserialize<int[]>()!, clusters.Labels);
        Assert.Equal((int)expected["iterations"]!, clusters.Iterations);
        Assert.Equal((double)expected["inertia"]!, clusters.Inertia, 1e-9);
        Assert.All(golden[$"centers.{pooling}"].Values.Zip(clusters.Centers.Values), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
        Assert.Equal(expected["chosen"].Deserialize<int[]>()!, TypicalSamples.Nearest(points, Texts, clusters).Select(sample => sample.Row));
    }

    [Theory]
    [InlineData("mean")]
    [InlineData("last")]
    public void OwnStartsComeCloseToTheBestInertia(string pooling)
    {
        var points = new GoldenStates(Fixtures.Path("recall", "representations.safetensors"))[$"cluster.{pooling}"];
        double bound = 1.02 * (double)GoldenStates.Json("recall", "expected.json")[$"typical.{pooling}"]!["sklearn"]!["inertia_10_restarts"]!["max"]!;

        for (int seed = 0; seed < 10; seed++)
            Assert.InRange(KMeans.Cluster(points, 8, seed, cancellation: TestContext.Current.CancellationToken).Inertia, 0, bound);
    }

    [Fact]
    public void FewerTextsThanAskedForAreAllTaken()
    {
        var expected = GoldenStates.Json("recall", "expected.json")["fewer_texts_than_count"]!;
        var texts = expected["texts"].Deserialize<string[]>()!;

        var chosen = TypicalSamples.Choose(new PooledStates(texts.Length, 4), texts, 8, 0, TestContext.Current.CancellationToken);

        Assert.Equal(expected["chosen"].Deserialize<int[]>()!, chosen.Select(sample => sample.Row));
    }

    [Fact]
    public void ChosenAreDistinctTextsInOrderOfRows() => Gen.Select(Gen.Double[-1, 1].Array[3, 60], Gen.Int[1, 12], Gen.Int[0, 5], Gen.Int[1, 30])
        .Sample((values, count, seed, kinds) =>
        {
            var points = new PooledStates(values.Length, 1);
            values.CopyTo(points.Values, 0);
            // Equal texts with different representations: the worst that rounding could do.
            string[] texts = [.. values.Select((_, row) => $"text {row % kinds}")];

            var chosen = TypicalSamples.Choose(points, texts, count, seed);

            Assert.InRange(chosen.Count, 1, count);
            Assert.Equal(chosen.Count, chosen.Select(sample => texts[sample.Row]).Distinct().Count());
            Assert.Equal(chosen.Select(sample => sample.Row).Order(), chosen.Select(sample => sample.Row));
        });

    [Fact]
    public void DrawOfCandidatesIsSeededSortedAndWithoutRepeats() => Gen.Select(Gen.Int[0, 300], Gen.Int[1, 300], Gen.Int[0, 1000])
        .Sample((rows, candidates, seed) =>
        {
            var drawn = TypicalSamples.Draw(rows, candidates, seed);

            Assert.Equal(Math.Min(rows, candidates), drawn.Count);
            Assert.Equal(drawn.Distinct().Order(), drawn);
            Assert.All(drawn, row => Assert.InRange(row, 0, rows - 1));
            Assert.Equal(drawn, TypicalSamples.Draw(rows, candidates, seed));
        });
}
