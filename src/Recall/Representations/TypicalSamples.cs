namespace Recall.Representations;

/// <summary>A text that stands for its cluster.</summary>
/// <param name="Row">Its place among the candidates, from 0.</param>
/// <param name="ClusterSize">Candidates in its cluster; 1 where there was nothing to cluster.</param>
public readonly record struct TypicalSample(int Row, int ClusterSize);

/// <summary>
/// The few texts that stand for a task (arXiv 2510.20479): the members nearest to the centroids of K-means over the candidates'
/// representations.
/// </summary>
public static class TypicalSamples
{
    /// <summary>
    /// Which rows of a data set are candidates: a seeded draw without replacement, in the order of the file; all rows where there are
    /// no more than
    /// <paramref name="candidates"/>.
    /// </summary>
    public static IReadOnlyList<int> Draw(int rows, int candidates, int seed)
    {
        var order = Enumerable.Range(0, rows).ToArray();
        if (rows <= candidates) return order;
        var random = new SplitMix64((ulong)seed);
        for (int i = 0; i < candidates; i++)
        {
            int other = i + random.Below(rows - i);
            (order[i], order[other]) = (order[other], order[i]);
        }
        Array.Sort(order, 0, candidates);
        return order[..candidates];
    }

    /// <summary>
    /// All distinct texts, at their first place, where there are no more than <paramref name="count"/>; else null: they are to be
    /// clustered.
    /// </summary>
    public static IReadOnlyList<TypicalSample>? WithoutClusters(IReadOnlyList<string> texts, int count)
    {
        var first = new HashSet<string>(StringComparer.Ordinal);
        var distinct = new List<TypicalSample>();
        for (int row = 0; row < texts.Count; row++)
        {
            if (!first.Add(texts[row])) continue;
            if (distinct.Count == count) return null;
            distinct.Add(new TypicalSample(row, 1));
        }
        return distinct;
    }

    /// <summary>Chooses the typical samples.</summary>
    /// <param name="representations">Of the candidates: [candidates, hidden], finite.</param>
    /// <param name="texts">The candidates' texts; equal ones are points of their own, but at most one of them is chosen.</param>
    /// <param name="count">How many to choose (k); fewer are chosen where there are fewer distinct texts.</param>
    /// <param name="seed">Of the clusters' start.</param>
    /// <param name="cancellation">Stops the clustering.</param>
    /// <returns>The chosen, by row.</returns>
    public static IReadOnlyList<TypicalSample> Choose(
        PooledStates representations, IReadOnlyList<string> texts, int count, int seed, CancellationToken cancellation = default) =>
        WithoutClusters(texts, count) ?? Nearest(representations, texts, KMeans.Cluster(representations, count, seed, cancellation: cancellation));

    /// <summary>
    /// From each cluster the member nearest to its centre, the lowest row among equals, whose text no other cluster gave: equal texts
    /// may differ in the
    /// last digits of their representations, and so in their cluster.
    /// </summary>
    internal static IReadOnlyList<TypicalSample> Nearest(PooledStates representations, IReadOnlyList<string> texts, Clustering clusters)
    {
        var members = Enumerable.Range(0, texts.Count).ToLookup(row => clusters.Labels[row]);
        var given = new HashSet<string>(StringComparer.Ordinal);
        var chosen = new List<TypicalSample>();
        for (int c = 0; c < clusters.Centers.Count; c++)
        {
            var byDistance = members[c].OrderBy(row => PooledStates.SquaredDistance(representations[row], clusters.Centers[c]));
            foreach (int row in byDistance)
            {
                if (!given.Add(texts[row])) continue;
                chosen.Add(new TypicalSample(row, members[c].Count()));
                break;
            }
        }
        return [.. chosen.OrderBy(sample => sample.Row)];
    }
}
