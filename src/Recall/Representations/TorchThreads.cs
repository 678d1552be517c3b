using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// How many threads libtorch takes. BLAS and LAPACK cut factorisations, triangular systems, and some products by threads, and libtorch sums
/// over whole tensors; each cut rounds otherwise. What is to be the same on any number of threads runs on one, and where it is long in
/// ranges that depend on sizes alone, side by side. libtorch counts for each thread that calls it.
/// </summary>
static class TorchThreads
{
    /// <summary>Rows of a range, about: wide enough for a product to reach its speed.</summary>
    const int Range = 128;

    /// <summary>Runs with at most so many threads, as the user asked for.</summary>
    public static T Within<T>(int threads, Func<T> work)
    {
        TorchProcess.Prepare();
        int before = get_num_threads();
        set_num_threads(Math.Min(threads, before));
        try
        {
            return work();
        }
        finally
        {
            set_num_threads(before);
        }
    }

    /// <inheritdoc cref="Within{T}"/>
    public static void Within(int threads, Action work) => Within(threads, () =>
    {
        work();
        return true;
    });

    /// <summary>Runs on one thread.</summary>
    public static T Alone<T>(Func<T> work) => Within(1, work);

    /// <summary>The sum of a tensor's values, in double precision.</summary>
    public static double Total(Tensor values)
    {
        using var sum = Alone(() => values.sum());
        return sum.item<double>();
    }

    /// <summary>The sum of each column: [n, m] → [m].</summary>
    public static Tensor ColumnSums(this Tensor values) => Alone(() => values.sum([0L]));

    /// <summary>Cuts rows into ranges of nearly equal length, takes the first row and the number of each; each runs on one thread.</summary>
    public static void Ranges(long rows, Action<long, long> work)
    {
        int threads = get_num_threads();
        long count = Math.Max(1, rows / Range), next = -1;
        void Work()
        {
            set_num_threads(1);
            try
            {
                for (long range = Interlocked.Increment(ref next); range < count; range = Interlocked.Increment(ref next))
                {
                    using var scope = NewDisposeScope();
                    long first = rows * range / count;
                    work(first, rows * (range + 1) / count - first);
                }
            }
            finally
            {
                set_num_threads(threads);
            }
        }
        int workers = (int)Math.Min(threads, count);
        if (workers == 1) Work();
        else Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, _ => Work());
    }

    /// <summary>L·R: [m, k], [k, n] → [m, n].</summary>
    public static Tensor Product(this Tensor left, Tensor right)
    {
        long rows = left.shape[0], columns = right.shape[1];
        var product = empty([rows, columns], left.dtype);
        if (rows >= columns) Ranges(rows, (first, count) => product.narrow(0, first, count).copy_(left.narrow(0, first, count).mm(right)));
        else Ranges(columns, (first, count) => product.narrow(1, first, count).copy_(left.mm(right.narrow(1, first, count))));
        return product;
    }
}
