using Recall.Alignment;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Representations;
using Recall.Tests.Merging;
using static TorchSharp.torch;

namespace Recall.Tests.Alignment;

/// <summary>
/// Merges by least squares and what they consist of, on one thread of libtorch and on more, of sizes that BLAS and LAPACK divide among threads.
/// </summary>
public sealed class AlignmentThreadsTests : IDisposable
{
    const int Hidden = 512;

    static readonly int[] Counts = [1, 2, 3, 8];

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static void With(int threads, Action work)
    {
        int before = get_num_threads();
        set_num_threads(threads);
        try
        {
            work();
        }
        finally
        {
            set_num_threads(before);
        }
    }

    static string Bits(Tensor tensor)
    {
        using var values = tensor.contiguous();
        return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(values.bytes));
    }

    static Tensor Random(long rows, long columns, ulong seed)
    {
        using var generator = new Generator(seed);
        return randn([rows, columns], ScalarType.Float64, generator: generator);
    }

    static Tensor Positive(long size) => Cut(Random(2 * size, size, 7)).ToMatrix();

    static SecondMoment Cut(Tensor rows) => new((int)rows.shape[1]) { Factor = rows };

    static Tensor Factor(long size)
    {
        var matrix = Positive(size);
        Assert.True(Cholesky.Factorise(matrix));
        return matrix;
    }

    static readonly Dictionary<string, Func<Tensor>> Operations = new()
    {
        ["product, tall"] = () => Random(1536, 576, 1).Product(Random(576, 64, 2)),
        ["product, wide"] = () => Random(16, 1536, 1).Product(Random(1536, 1536, 2)),
        ["product with itself"] = () => Random(576, 2048, 1).Product(Random(576, 2048, 1).t()),
        ["sum"] = () => tensor(TorchThreads.Total(Random(1000, 1536, 1))),
        ["sums of columns"] = () => Random(1000, 1536, 1).ColumnSums(),
        ["moment"] = () => Positive(576),
        ["factor"] = () => Factor(1100),
        ["solution"] = () => Cholesky.Solve(Factor(576), Random(300, 576, 1)),
        ["solution, dual"] = () => RidgedSum.Dual([Cut(Random(300, 1536, 1))], 0.01).Solve(Random(192, 1536, 2)),
        ["eigenvectors"] = () => Eigenpairs.Largest(Positive(576), 16).Vectors,
        ["cut of factors"] = () => LowRankCut.OfFactors(Random(576, 64, 1), Random(64, 1536, 2), 16).Right,
        ["cut of a matrix"] = () => LowRankCut.OfMatrix(Random(192, 576, 1), 16).Right,
    };

    public static TheoryData<string> Names => [.. Operations.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_bits_of_an_operation_are_the_same_on_any_number_of_threads(string name)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var bits = new List<string>();
        foreach (int threads in Counts) With(threads, () => bits.Add(Bits(Operations[name]())));
        Assert.Single(bits.Distinct());
    }

    [Theory]
    [InlineData("align", 6)]
    [InlineData("align", 1)]
    [InlineData("distil", 6)]
    [InlineData("distil", 1)]
    [InlineData("regmean", 6)]
    public void A_merge_in_float32_is_the_same_on_one_thread_and_on_two(string method, int texts)
    {
        TinyModel.Write(_folder["base"], 1, DType.F32, hidden: Hidden, layers: 2);
        foreach (int expert in new[] { 1, 2 }) WriteExpert(expert, texts);
        string recall = method == "regmean" ? "merge_method: regmean\nrecall: {" : $"merge_method: recall\nrecall: {{combine: {method}, card_rank: full, ";
        var config = MergeConfig.Parse($"base_model: {_folder["base"]}\nmodels:\n"
            + string.Concat(new[] { 1, 2 }.Select(expert => $"- {{model: {_folder[$"expert-{expert}"]}, samples: {_folder[$"{expert}.jsonl"]}}}\n"))
            + recall + "compute: float32}\ndtype: float32\n", "merge.yaml");
        foreach (int threads in new[] { 1, 2 })
            With(threads, () => MergeRun.Run(config, new MergeOptions { Output = _folder[$"on {threads}"], Threads = threads }));
        Assert.Equal(TinyModel.Bytes(_folder["on 1"]), TinyModel.Bytes(_folder["on 2"]));
        Assert.Equal(method != "regmean", TinyModel.Bytes(_folder["on 1"]).ContainsKey("card.safetensors"));
    }

    /// <summary>The base with noise, and texts of 100 random tokens each.</summary>
    void WriteExpert(int expert, int texts)
    {
        var random = new Random(expert);
        TinyModel.Write(_folder[$"expert-{expert}"], 1, DType.F32, tensors =>
        {
            foreach (var (_, values) in tensors.Values)
                for (int i = 0; i < values.Length; i++) values[i] += (float)(0.05 * (random.NextDouble() - 0.5));
        }, hidden: Hidden, layers: 2);
        File.WriteAllLines(_folder[$"{expert}.jsonl"], Enumerable.Range(0, texts).Select(_ =>
            $$"""{"ids": [{{string.Join(", ", Enumerable.Range(0, 100).Select(_ => random.Next(TinyModel.Vocabulary)))}}]}"""));
    }

    [Fact]
    public void A_merge_takes_no_more_threads_than_it_is_given_and_leaves_libtorch_as_it_was()
    {
        TinyModel.Write(_folder["base"], 1);
        TinyModel.Write(_folder["expert"], 2);
        File.WriteAllText(_folder["texts.jsonl"], """{"ids": [1, 2, 3]}""");
        var config = MergeConfig.Parse($"merge_method: recall\nbase_model: {_folder["base"]}\nmodels:\n- {{model: {_folder["expert"]}, "
            + $"samples: {_folder["texts.jsonl"]}}}\nrecall: {{combine: distil}}\n", "merge.yaml");
        var seen = new List<int>();
        var listener = new Listener(progress => { if (progress.Stage == "layer 2") seen.Add(get_num_threads()); });
        With(3, () =>
        {
            MergeRun.Run(config, new MergeOptions { Output = _folder["out"], Threads = 2 }, listener);
            Assert.Equal(3, get_num_threads());
        });
        Assert.All(seen, threads => Assert.Equal(2, threads));
        Assert.NotEmpty(seen);
    }

    [Fact]
    public void Ranges_cover_all_rows_once_on_one_thread_each()
    {
        foreach (int rows in new[] { 0, 1, 127, 128, 255, 256, 577, 5000 })
        {
            var taken = new int[rows];
            var threads = new System.Collections.Concurrent.ConcurrentBag<int>();
            With(2, () => TorchThreads.Ranges(rows, (first, count) =>
            {
                threads.Add(get_num_threads());
                for (long row = first; row < first + count; row++) Interlocked.Increment(ref taken[row]);
            }));
            Assert.All(taken, times => Assert.Equal(1, times));
            Assert.All(threads, count => Assert.Equal(1, count));
        }
    }
}
