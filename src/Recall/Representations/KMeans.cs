namespace Recall.Representations;

/// <summary>A partition of points into clusters.</summary>
/// <param name="Labels">The cluster of each point.</param>
/// <param name="Centers">The mean of each cluster: [clusters, hidden].</param>
/// <param name="Inertia">Sum of the squared distances of the points to their cluster's centre.</param>
/// <param name="Iterations">Iterations to convergence, the last one included.</param>
public sealed record Clustering(IReadOnlyList<int> Labels, PooledStates Centers, double Inertia, int Iterations);

/// <summary>
/// K-means (Lloyd 1982) from k-means++ starts (Arthur and Vassilvitskii 2007, with 2 + ln k candidates for a centre, of which the one
/// that lowers
/// the inertia most is taken). Double precision; the same points and seed give the same clusters on any number of threads.
/// </summary>
public static class KMeans
{
    const int MostIterations = 1000;

    /// <summary>The best of several runs, each from a start of its own.</summary>
    /// <param name="points">[points, hidden], finite.</param>
    /// <param name="clusters">Number of clusters (k), at least 1; some stay empty where there are fewer distinct points.</param>
    /// <param name="seed">Of the starts.</param>
    /// <param name="restarts">Number of runs; default 10.</param>
    /// <param name="cancellation">Stops between iterations.</param>
    public static Clustering Cluster(PooledStates points, int clusters, int seed, int restarts = 10, CancellationToken cancellation = default)
    {
        var runs = new Clustering[restarts];
        Parallel.For(0, restarts, new ParallelOptions { CancellationToken = cancellation }, run =>
        {
            var random = new SplitMix64((ulong)seed * 0x9E3779B97F4A7C15 + (ulong)run);
            runs[run] = Lloyd(points, Start(points, clusters, random), cancellation);
        });
        return runs.MinBy(run => run.Inertia)!;     // the first of equals
    }

    /// <summary>
    /// Lloyd's iterations from given centres: assign every point to its nearest centre (ties to the lowest), move the centres to the
    /// means; until
    /// no label changes, or no centre moves. A cluster without points takes the point farthest from its own centre.
    /// </summary>
    public static Clustering Lloyd(PooledStates points, PooledStates start, CancellationToken cancellation = default)
    {
        var centers = start.Take([.. Enumerable.Range(0, start.Count)]);
        var labels = new int[points.Count];
        var before = new int[points.Count];
        var distances = new double[points.Count];
        Array.Fill(before, -1);
        int iterations = 0;
        for (bool moved = true; moved && iterations < MostIterations;)
        {
            cancellation.ThrowIfCancellationRequested();
            iterations++;
            Assign(points, centers, labels, distances);
            var means = Means(points, labels, distances, centers.Count);
            moved = !means.Values.AsSpan().SequenceEqual(centers.Values);
            centers = means;
            if (labels.AsSpan().SequenceEqual(before)) break;
            labels.CopyTo(before, 0);
            if (!moved) Assign(points, centers, labels, distances);
        }
        double inertia = 0;
        for (int i = 0; i < points.Count; i++) inertia += PooledStates.SquaredDistance(points[i], centers[labels[i]]);
        return new Clustering(labels, centers, inertia, iterations);
    }

    static void Assign(PooledStates points, PooledStates centers, int[] labels, double[] distances)
    {
        for (int i = 0; i < points.Count; i++)
        {
            (labels[i], distances[i]) = (0, double.PositiveInfinity);
            for (int c = 0; c < centers.Count; c++)
            {
                double distance = PooledStates.SquaredDistance(points[i], centers[c]);
                if (distance < distances[i]) (labels[i], distances[i]) = (c, distance);
            }
        }
    }

    /// <summary>The means of the clusters; <paramref name="distances"/> are those to the centres before.</summary>
    static PooledStates Means(PooledStates points, int[] labels, double[] distances, int clusters)
    {
        var sums = new PooledStates(clusters, points.Size);
        var counts = new int[clusters];
        for (int i = 0; i < points.Count; i++)
        {
            Add(sums[labels[i]], points[i], 1);
            counts[labels[i]]++;
        }
        FillEmpty(points, labels, distances, sums, counts);

        int largest = Array.IndexOf(counts, counts.Max());
        for (int c = 0; c < clusters; c++)
            for (int j = 0; j < points.Size && counts[c] > 0; j++) sums[c][j] /= counts[c];
        for (int c = 0; c < clusters; c++)
            if (counts[c] == 0) sums[largest].CopyTo(sums[c]);
        return sums;
    }

    /// <summary>
    /// Each empty cluster takes, for this mean, the farthest point that is left, and the point's own cluster goes without it. Where
    /// every point lies
    /// on its centre, there are fewer distinct points than clusters, and nothing is to be done.
    /// </summary>
    static void FillEmpty(PooledStates points, int[] labels, double[] distances, PooledStates sums, int[] counts)
    {
        int empty = counts.Count(count => count == 0);
        if (empty == 0 || distances.Max() == 0) return;
        var farthest = Enumerable.Range(0, points.Count).OrderByDescending(i => distances[i]).Take(empty).GetEnumerator();
        foreach (int c in Enumerable.Range(0, counts.Length).Where(c => counts[c] == 0).ToList())
        {
            if (!farthest.MoveNext()) return;
            int point = farthest.Current;
            Add(sums[labels[point]], points[point], -1);
            counts[labels[point]]--;
            points[point].CopyTo(sums[c]);
            counts[c] = 1;
        }
    }

    static void Add(Span<double> sum, ReadOnlySpan<double> point, double sign)
    {
        for (int j = 0; j < sum.Length; j++) sum[j] += sign * point[j];
    }

    /// <summary>
    /// k-means++: each centre is a point drawn with a probability in proportion to its squared distance to the centres so far.
    /// </summary>
    static PooledStates Start(PooledStates points, int clusters, SplitMix64 random)
    {
        var chosen = new List<int>(clusters) { random.Below(points.Count) };
        var distances = DistancesTo(points, chosen[0], null);
        int candidates = 2 + (int)Math.Log(clusters);
        while (chosen.Count < clusters)
        {
            double total = distances.Sum(), best = double.PositiveInfinity;
            int next = 0;
            double[] nextDistances = distances;
            for (int t = 0; t < candidates; t++)
            {
                int candidate = Draw(distances, random.Unit() * total);
                var with = DistancesTo(points, candidate, distances);
                double inertia = with.Sum();
                if (inertia < best) (best, next, nextDistances) = (inertia, candidate, with);
            }
            chosen.Add(next);
            distances = nextDistances;
        }
        return points.Take(chosen);
    }

    static int Draw(double[] distances, double at)
    {
        int last = 0;
        for (int i = 0; i < distances.Length; i++)
        {
            if (distances[i] == 0) continue;
            at -= distances[i];
            last = i;
            if (at < 0) break;
        }
        return last;
    }

    static double[] DistancesTo(PooledStates points, int center, double[]? least)
    {
        var distances = new double[points.Count];
        for (int i = 0; i < points.Count; i++)
        {
            double distance = PooledStates.SquaredDistance(points[i], points[center]);
            distances[i] = least is null ? distance : Math.Min(distance, least[i]);
        }
        return distances;
    }
}
