using System.Text.Json.Nodes;
using Recall.Representations;

namespace Recall.Tests.Representations;

/// <summary>
/// Against scikit-learn, on the point sets of fixtures/kmeans and one of the reference material (real hidden states, 576 values).
/// </summary>
public class KMeansTests
{
    const string Real = "real-576";

    static readonly string[] StopByRounding = ["all-equal", "k-equals-n", "fewer-distinct-than-k"];

    public static TheoryData<string> Sets() => [.. Expected().Select(entry => entry.Key)];

    public static TheoryData<string, string> Starts() =>
        new(Expected().SelectMany(entry => entry.Value!["fixed"]!.AsObject().Select(start => (entry.Key, start.Key))));

    [Theory, MemberData(nameof(Starts))]
    public void LloydFromAGivenStartEqualsScikitLearn(string set, string start)
    {
        var golden = Open(set);
        var expected = Expected()[set]!["fixed"]![start]!;
        var points = golden["X"];

        var clusters = KMeans.Lloyd(points, golden[$"{start}.init"], TestContext.Current.CancellationToken);

        Assert.Equal(golden.Integers($"{start}.labels"), clusters.Labels);
        double largest = points.Values.Max(Math.Abs), tolerance = 1e-6 * largest;
        var centers = golden[$"{start}.centers"].Values;
        for (int i = 0; i < centers.Length; i++) Assert.Equal(centers[i], clusters.Centers.Values[i], tolerance);
        Assert.Equal((double)expected["inertia"]!, clusters.Inertia, 1e-9 * Math.Max(1, (double)Expected()[set]!["total_inertia_k1"]!));
        int iterations = (int)expected["n_iter"]!, slack = StopByRounding.Contains(set) ? 1 : 0;
        Assert.InRange(clusters.Iterations, iterations - slack, iterations + slack);
    }

    [Theory, MemberData(nameof(Starts))]
    public void MemberNearestToItsCentreIsTheOneOfScikitLearn(string set, string start)
    {
        var golden = Open(set);
        var points = golden["X"];
        var clusters = KMeans.Lloyd(points, golden[$"{start}.init"], TestContext.Current.CancellationToken);
        string[] texts = [.. Enumerable.Range(0, points.Count).Select(row => $"text {row}")];
        var nearest = Expected()[set]!["fixed"]![start]!["nearest_member"]!.AsArray();
        int[] expected = [.. nearest.Where(row => row is not null && (int)row >= 0).Select(row => (int)row!).Order()];

        var chosen = TypicalSamples.Nearest(points, texts, clusters);

        Assert.Equal(expected, chosen.Select(sample => sample.Row));
        Assert.Equal(points.Count, chosen.Sum(sample => sample.ClusterSize));
    }

    [Theory, MemberData(nameof(Sets))]
    public void TenRestartsComeWithinTheBound(string set)
    {
        var points = Open(set)["X"];
        var expected = Expected()[set]!;
        double bound = (double)expected["bound_10_restarts"]! + 1e-9 * (double)expected["total_inertia_k1"]!;

        for (int seed = 0; seed < (set == Real ? 3 : 20); seed++)
        {
            var clusters = KMeans.Cluster(points, (int)expected["k"]!, seed, cancellation: TestContext.Current.CancellationToken);
            Assert.InRange(clusters.Inertia, 0, bound);
        }
    }

    [Fact]
    public void SameSeedGivesTheSameClusters()
    {
        var points = Open("scales")["X"];

        var first = KMeans.Cluster(points, 7, 3, cancellation: TestContext.Current.CancellationToken);
        var second = KMeans.Cluster(points, 7, 3, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(first.Labels, second.Labels);
        Assert.Equal(first.Centers.Values, second.Centers.Values);
    }

    [Fact]
    public void CancellationStopsTheClustering() =>
        Assert.ThrowsAny<OperationCanceledException>(() => KMeans.Cluster(Open("blobs")["X"], 6, 0, cancellation: new CancellationToken(canceled: true)));

    static JsonObject Expected() => GoldenStates.Json("kmeans", "expected.json").AsObject();

    static GoldenStates Open(string set) =>
        new(set == Real ? Fixtures.Shared("golden", "kmeans", $"{Real}.safetensors") : Fixtures.Path("kmeans", $"{set}.safetensors"));
}
