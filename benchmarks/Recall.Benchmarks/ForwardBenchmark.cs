using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Planning;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Benchmarks;

/// <summary>
/// The forward pass of a model beside libtorch's bare matrix products of the same sizes, in turns: as a merge does it, with the reading of
/// the layers and the means of the states; and where the time of the blocks goes. On one thread, by its processor time, so that other jobs
/// on the machine count little.
/// </summary>
static partial class ForwardBenchmark
{
    const int ThreadTime = 3;   // CLOCK_THREAD_CPUTIME_ID

    public static void Run(Arguments arguments)
    {
        var checkpoint = OpenedModel.Open(ModelReference.Parse(arguments.Positional(0, "MODEL"))).Checkpoint;
        var compute = (arguments.One("--type") ?? "bf16") switch
        {
            "bf16" => ComputeType.BFloat16,
            "f32" => ComputeType.Float32,
            var other => throw new ConfigurationException($"unknown type '{other}'; known: bf16, f32"),
        };
        int count = arguments.Number("--texts", 20), length = arguments.Number("--length", 194), runs = arguments.Number("--runs", 5);
        arguments.Finish();
        set_num_threads(1);
        using var quiet = no_grad();
        var random = new Random(1);
        var options = BlockOptions.Read(checkpoint);
        if (options.Kinds.Any(kind => kind.Mixture is not null))
            throw new ConfigurationException("a mixture of experts multiplies by a choice of its weights: there are no bare products to compare with");
        int[][] texts = [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(options.VocabularySize)).ToArray())];
        var type = compute == ComputeType.BFloat16 ? ScalarType.BFloat16 : ScalarType.Float32;
        using var blocks = new BlockParts(checkpoint, type, texts);
        var (products, stream) = (new double[runs], new double[runs]);
        for (int run = -1; run < runs; run++)
        {
            double bare = blocks.Bare(), whole = Stream(checkpoint, texts, compute), parts = blocks.Forward(keep: run >= 0);
            if (run < 0) continue;
            (products[run], stream[run]) = (bare, whole);
            Console.Error.WriteLine($"products {bare:F3} s, forward pass {whole:F3} s, its blocks {parts:F3} s");
        }
        double product = Median(products), pass = Median(stream);
        Console.WriteLine($"{type}, hidden size {options.HiddenSize}, {options.Layers} layers, {count} texts of {length} tokens, one thread\n");
        Console.WriteLine("| | processor s | tokens/s | products / this |\n|---|---|---|---|");
        Console.WriteLine($"| bare products | {product:F3} | {count * length / product:F0} | 1 |");
        Console.WriteLine($"| forward pass, reading and means included | {pass:F3} | {count * length / pass:F0} | {product / pass:F2} |\n");
        Console.WriteLine("| part of the blocks | ms a layer | % |\n|---|---|---|");
        double all = blocks.Parts.Values.Sum();
        foreach (var (part, seconds) in blocks.Parts) Console.WriteLine($"| {part} | {1e3 * seconds / runs / options.Layers:F2} | {100 * seconds / all:F1} |");
    }

    static double Stream(Checkpoint checkpoint, int[][] texts, ComputeType compute)
    {
        double start = Now();
        using var stream = new RepresentationStream([("model", checkpoint)], texts, compute);
        var buffer = new LayerBuffer();
        var reader = new TileReader(buffer);
        for (int layer = 0; layer <= stream.Layers; layer++)
        {
            buffer.Load(stream.Sources(layer).SelectMany(source => source.Stored), CancellationToken.None);
            if (layer == 0) stream.Embed(reader);
            else stream.Block(layer, reader);
            stream.Pooled(Pooling.Mean);
        }
        return Now() - start;
    }

    static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    static double Now()
    {
        Span<long> time = stackalloc long[2];
        ClockTime(ThreadTime, ref MemoryMarshal.GetReference(time));
        return time[0] + time[1] * 1e-9;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockTime(int clock, ref long time);

    /// <summary>The blocks in memory: time is taken at the beginning and the end of each linear layer, and what lies between is a part, too.</summary>
    sealed class BlockParts : IDisposable
    {
        const int BatchTokens = 1024;   // as in RepresentationStream

        readonly LanguageModel _model;
        readonly List<(TokenBatch Batch, AttentionContext Context)> _batches = [];

        public BlockParts(Checkpoint checkpoint, ScalarType type, int[][] texts)
        {
            _model = LanguageModel.Load(checkpoint, type);
            foreach (var batch in TokenBatch.ByLength(texts, BatchTokens)) _batches.Add((batch, AttentionContext.Of(_model.Options, batch, type)));
        }

        public Dictionary<string, double> Parts { get; } = [];

        public double Bare()
        {
            using var scope = NewDisposeScope();
            var inputs = _model.Options.Linears(0).Select(linear => linear.Inputs).Distinct().ToDictionary(size => size, size =>
                _batches.ConvertAll(batch => randn([.. batch.Batch.Ids.shape, size]).to_type(_model.Type)));
            double start = Now();
            for (int batch = 0; batch < _batches.Count; batch++)
                foreach (var block in _model.Blocks)
                    foreach (var linear in block.Options.Linears(block.Layer)) block.Linear(linear.Name, inputs[linear.Inputs][batch]).Dispose();
            return Now() - start;
        }

        public double Forward(bool keep)
        {
            double first = Now();
            foreach (var (batch, context) in _batches)
            {
                using var scope = NewDisposeScope();
                double last = Now();
                _model.Forward(batch.Ids, context, (block, name, input) =>
                {
                    double start = Now();
                    var output = block.Linear(name, input);
                    double end = Now();
                    if (keep) Add($"before {name}", start - last);
                    if (keep) Add(name, end - start);
                    last = end;
                    return output;
                });
            }
            return Now() - first;
        }

        void Add(string part, double seconds) => Parts[part] = Parts.GetValueOrDefault(part) + seconds;

        public void Dispose()
        {
            _model.Dispose();
            foreach (var (batch, context) in _batches)
            {
                context.Dispose();
                batch.Dispose();
            }
        }
    }
}
