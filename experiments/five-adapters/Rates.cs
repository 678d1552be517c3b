using System.Diagnostics;
using static TorchSharp.torch;

namespace FiveAdapters;

/// <summary>How fast this machine multiplies: what a merge's time is to be held against.</summary>
static class Rates
{
    public static void Print()
    {
        using var quiet = no_grad();
        foreach (int threads in new[] { 1, 2 })
        {
            set_num_threads(threads);
            foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
            {
                using var scope = NewDisposeScope();
                var (x, w) = (rand(2048, 576, dtype: type), rand(1536, 576, dtype: type));
                Time($"{threads} threads, {type}, linear [2048, 576] x [576, 1536]", 2.0 * 2048 * 576 * 1536, () =>
                    nn.functional.linear(x, w));
                var y = rand(2048, 1536, dtype: type);
                Time($"{threads} threads, {type}, product of columns [1536, 2048] x [2048, 384]", 2.0 * 2048 * 384 * 1536, () =>
                    y.narrow(1, 0, 384).t().mm(y));
            }
            using var inner = NewDisposeScope();
            var z = rand(1600, 1536, dtype: ScalarType.Float64);
            var a = z.t().mm(z);
            a.diagonal().add_(1);
            Time($"{threads} threads, Cholesky 1536", 1536.0 * 1536 * 1536 / 3, () => linalg.cholesky_ex(a).L);
            var (l, _) = linalg.cholesky_ex(a);
            var n = rand(576, 1536, dtype: ScalarType.Float64);
            Time($"{threads} threads, solve 1536 x 576", 2.0 * 576 * 1536 * 1536, () => n.t().cholesky_solve(l));
        }
    }

    static void Time(string what, double operations, Func<Tensor> run)
    {
        run().Dispose();
        double best = double.PositiveInfinity;
        for (int i = 0; i < 7; i++)
        {
            var clock = Stopwatch.StartNew();
            run().Dispose();
            best = Math.Min(best, clock.Elapsed.TotalSeconds);
        }
        Console.WriteLine($"{what}: {operations / best / 1e9:F0} GFLOPS, {best * 1e3:F1} ms");
    }
}
