using System.Text.Json.Nodes;
using Recall.Checkpoints;

namespace Recall.Tests.Mergekit;

/// <summary>
/// What must hold of a random draw: each element is one of few values, and how often each comes is within five standard deviations of its
/// probability. Elements whose delta is below 1e-6 are left out.
/// </summary>
static class RandomMethodStatistics
{
    const double Sigmas = 5, Smallest = 1e-6;

    public static void Check(MergekitCase @case, string root, string output)
    {
        var statistics = (JsonObject)@case.Case["statistics"]!;
        if ((string)statistics["kind"]! == "single") Single(statistics, root, output);
        else Pair(statistics, root, output);
    }

    static void Single(JsonObject statistics, string root, string output)
    {
        var model = statistics["models"]![0]!;
        double lambda = (double?)statistics["lambda"] ?? 1, rtol = (double)statistics["rtol"]!;
        double weight = (bool)statistics["normalize"]! ? 1 : (double)model["weight"]!;
        double? epsilon = (double?)statistics["epsilon"];
        var counts = new Dictionary<double, (long Kept, long Of)>();
        var thirds = (Low: default(Third), High: default(Third));
        var got = Checkpoint.Open(output);
        var origin = Checkpoint.Open(Path.Combine(root, (string)statistics["base"]!));
        var other = Checkpoint.Open(Path.Combine(root, (string)model["model"]!));
        foreach (var tensor in got.Tensors)
        {
            double density = (double)model["density"]!;
            foreach (var (part, value) in model["density_by_name"] as JsonObject ?? [])
                if (tensor.Name.Contains(part)) density = (double)value!;
            var (b, x, y) = (MergekitCase.Values(origin.Find(tensor.Name)!), MergekitCase.Values(other.Find(tensor.Name)!), MergekitCase.Values(tensor));
            var delta = b.Zip(x, (from, to) => (double)(to - from)).ToArray();
            var kept = new bool[y.Length];
            for (int i = 0; i < y.Length; i++) kept[i] = y[i] != b[i];
            double norm = delta.Sum(Math.Abs), keptNorm = delta.Where((_, i) => kept[i]).Sum(Math.Abs);
            double factor = (bool)statistics["rescale"]! && density < 1 && norm >= 1e-7 && keptNorm >= 1e-7 ? norm / keptNorm : 1;
            double rms = Math.Sqrt(y.Sum(value => (double)value * value) / y.Length);
            for (int i = 0; i < y.Length; i++)
            {
                double wanted = kept[i] ? b[i] + lambda * weight * factor * delta[i] : b[i];
                Assert.True(Math.Abs(wanted - y[i]) <= rtol * Math.Max(Math.Abs(wanted), rms), $"{tensor.Name}[{i}]: {y[i]:R}, not {wanted:R}");
                if (Math.Abs(delta[i]) < Smallest) continue;
                var (count, of) = counts.GetValueOrDefault(density);
                counts[density] = (count + (kept[i] ? 1 : 0), of + 1);
            }
            if (epsilon is { } half && tensor.Shape.Rank == 2) Thirds(delta, kept, (int)tensor.Shape.RowLength, density, half, ref thirds);
        }
        if (epsilon is null)
        {
            foreach (var (density, (kept, of)) in counts) Within(kept, of, density);
            return;
        }
        thirds.Low.Check();
        thirds.High.Check();
        Assert.True(thirds.High.Share > thirds.Low.Share);
    }

    static void Thirds(double[] delta, bool[] kept, int row, double density, double epsilon, ref (Third Low, Third High) thirds)
    {
        for (int first = 0; first < delta.Length; first += row)
        {
            int[] order = [.. Enumerable.Range(first, row).OrderBy(i => Math.Abs((float)delta[i]))];
            for (int rank = 0; rank < row; rank++)
            {
                if (Math.Abs(delta[order[rank]]) < Smallest) continue;
                double place = rank / (double)(row - 1), chance = density - epsilon + 2 * epsilon * place;
                if (place < 1 / 3.0) thirds.Low.Add(kept[order[rank]], chance);
                if (place > 2 / 3.0) thirds.High.Add(kept[order[rank]], chance);
            }
        }
    }

    struct Third
    {
        long _kept, _of;
        double _chances;

        public readonly double Share => (double)_kept / _of;

        public void Add(bool kept, double chance)
        {
            _of++;
            if (kept) _kept++;
            _chances += chance;
        }

        public readonly void Check() => Within(_kept, _of, _chances / _of);
    }

    static void Pair(JsonObject statistics, string root, string output)
    {
        var models = statistics["models"]!.AsArray();
        double lambda = (double?)statistics["lambda"] ?? 1;
        bool consensus = (bool?)statistics["consensus"] == true;
        var got = Checkpoint.Open(output);
        var origin = Checkpoint.Open(Path.Combine(root, (string)statistics["base"]!));
        var others = models.Select(model => Checkpoint.Open(Path.Combine(root, (string)model!["model"]!))).ToArray();
        double p1 = (double)models[0]!["density"]!, p2 = (double)models[1]!["density"]!;
        // Rows: same signs, or the first or the second larger of opposite signs. Columns: nothing, the first, the second, both.
        var counts = new long[3, 4];
        foreach (var tensor in got.Tensors)
        {
            var (b, y) = (MergekitCase.Values(origin.Find(tensor.Name)!), MergekitCase.Values(tensor));
            var x = others.Select(other => MergekitCase.Values(other.Find(tensor.Name)!)).ToArray();
            for (int i = 0; i < y.Length; i++)
            {
                double d1 = lambda * (double)models[0]!["weight"]! * (x[0][i] - b[i]), d2 = lambda * (double)models[1]!["weight"]! * (x[1][i] - b[i]);
                double noise = 4e-7 * Math.Max(Math.Abs(b[i]), Math.Abs(y[i])) + 1e-9;
                double[] outcomes = [0, d1, d2, d1 + d2];
                if (outcomes.SelectMany((one, k) => outcomes.Skip(k + 1).Select(another => Math.Abs(one - another))).Min() < Math.Max(4 * noise, Smallest)) continue;
                int outcome = Array.FindIndex(outcomes, each => Math.Abs(y[i] - b[i] - each) <= noise);
                Assert.True(outcome >= 0, $"{tensor.Name}[{i}]: {y[i] - b[i]:R} is none of 0, {d1:R}, {d2:R}, {d1 + d2:R}");
                counts[!consensus || Math.Sign(d1) == Math.Sign(d2) ? 0 : Math.Abs(d1) > Math.Abs(d2) ? 1 : 2, outcome]++;
            }
        }
        double[][] chances =
        [
            [(1 - p1) * (1 - p2), p1 * (1 - p2), (1 - p1) * p2, p1 * p2],
            [(1 - p1) * (1 - p2), p1, (1 - p1) * p2, 0],
            [(1 - p1) * (1 - p2), p1 * (1 - p2), p2, 0],
        ];
        for (int row = 0; row < 3; row++)
        {
            long of = Enumerable.Range(0, 4).Sum(column => counts[row, column]);
            for (int column = 0; column < 4 && of > 0; column++) Within(counts[row, column], of, chances[row][column]);
        }
    }

    static void Within(long kept, long of, double chance) =>
        Assert.InRange(kept - of * chance, -Sigmas * Math.Sqrt(of * chance * (1 - chance)) - 1e-9, Sigmas * Math.Sqrt(of * chance * (1 - chance)) + 1e-9);
}
