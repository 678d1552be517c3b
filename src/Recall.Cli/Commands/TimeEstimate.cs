using System.Diagnostics;
using System.Numerics.Tensors;
using Recall.Checkpoints;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary>
/// How long a merge will take, from a probe of two seconds: reading its inputs, writing beside its output, decoding and encoding.
/// </summary>
/// <param name="Seconds">Expected; without the forward passes of a merge by representations, with those of one by least squares.</param>
/// <param name="ReadRate">Bytes a second read from the inputs, one thread.</param>
/// <param name="WriteRate">Bytes a second written beside the output, one thread.</param>
/// <param name="MergeRate">Values a second merged, one thread.</param>
/// <param name="Products">In a merge by least squares: seconds of its products of matrices, of which there are so many, at these rates.
/// </param>
sealed record TimeEstimate(double Seconds, double ReadRate, double WriteRate, double MergeRate, AlignedEstimate? Products)
{
    const int Block = 4 << 20;

    static readonly TimeSpan Each = TimeSpan.FromSeconds(0.6);

    /// <summary>Probes and estimates.</summary>
    public static TimeEstimate Of(MergePlan plan, CancellationToken cancellation)
    {
        double read = ProbeReading(plan, cancellation), write = ProbeWriting(plan.Options.Output, cancellation);
        double merge = ProbeMerging(plan, cancellation);
        double disk = plan.Cost.BytesToRead / read + plan.Cost.OutputBytes / write;
        double values = plan.Tensors.Where(tensor => tensor.Copied is null)
            .Sum(tensor => (double)tensor.Shape.Elements * tensor.Sources.Length);
        int threads = Math.Max(1, Math.Min(plan.Options.Threads, Environment.ProcessorCount));
        double seconds = Math.Max(disk, (disk + values / merge) / threads);
        var products = AlignedEstimate.Of(plan);
        seconds += products?.Seconds ?? 0;
        return new TimeEstimate(Math.Round(seconds, 3), Math.Round(read), Math.Round(write), Math.Round(Math.Min(merge, 1e15)), products);
    }

    /// <summary>Reads pieces that are spread over the inputs, so that what the page cache holds of them counts as it will.</summary>
    static double ProbeReading(MergePlan plan, CancellationToken cancellation)
    {
        var stored = plan.Tensors.SelectMany(tensor => tensor.Sources).SelectMany(source => source.Stored)
            .Distinct<StoredTensor>(ReferenceEqualityComparer.Instance).OrderByDescending(tensor => tensor.Length).Take(64).ToList();
        var buffer = new byte[Block];
        return Rate(round =>
        {
            var tensor = stored[round % stored.Count];
            int length = (int)Math.Min(Block, tensor.Length);
            long offset = length == 0 ? 0 : (long)round * Block % Math.Max(1, tensor.Length - length + 1);
            tensor.File.Read(tensor.Offset + offset, buffer.AsSpan(0, length));
            return length;
        }, cancellation);
    }

    static double ProbeWriting(string output, CancellationToken cancellation)
    {
        var folder = new DirectoryInfo(Path.GetFullPath(output));
        while (!folder.Exists && folder.Parent is not null) folder = folder.Parent;
        string path = Path.Combine(folder.FullName, $".recall-probe-{Environment.ProcessId}");
        try
        {
            using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.DeleteOnClose);
            var buffer = new byte[Block];
            long most = Math.Min(256L << 20, OutputFolder.FreeSpace(output) / 4) / Block * Block;
            return Rate(round =>
            {
                RandomAccess.Write(file, buffer, (long)round * Block % Math.Max(Block, most));
                return Block;
            }, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{folder.FullName}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Decodes tiles of tensors that are spread over the plan by their size, weighs them, encodes the sums.</summary>
    static double ProbeMerging(MergePlan plan, CancellationToken cancellation)
    {
        var tensors = plan.Tensors.Where(tensor => tensor.Copied is null && tensor.Shape.Elements > 0).ToList();
        if (tensors.Count == 0) return double.PositiveInfinity;
        var ends = new double[tensors.Count];
        double total = 0;
        for (int i = 0; i < ends.Length; i++) ends[i] = total += tensors[i].Shape.Elements;
        var reader = new TileReader();
        float[] values = new float[TileReader.StripElements], sum = new float[TileReader.StripElements];
        var bytes = new byte[8 * TileReader.StripElements];
        return Rate(round =>
        {
            // Multiples of the golden ratio fall evenly between 0 and 1, however many there are.
            double position = round * 0.6180339887498949 % 1 * total;
            int index = Array.BinarySearch(ends, position);
            var tensor = tensors[Math.Min(index < 0 ? ~index : index, tensors.Count - 1)];
            int tile = (int)Math.Min(TileReader.TileElements, tensor.Shape.Elements);
            var encoding = PlainEncoding.Of(tensor.DType);
            reader.BeginTensor();
            reader.Begin(tile);
            for (int start = 0; start < tile; start += TileReader.StripElements)
            {
                int length = Math.Min(TileReader.StripElements, tile - start);
                foreach (var source in tensor.Sources.Where(source => source.Shape.Elements >= tile))
                {
                    source.Read(reader, start, values.AsSpan(0, length));
                    TensorPrimitives.MultiplyAdd(values.AsSpan(0, length), 0.5f, sum.AsSpan(0, length), sum.AsSpan(0, length));
                }
                encoding.Encode(sum.AsSpan(0, length), bytes.AsSpan(0, length * encoding.BlockBytes));
            }
            return (long)tile * tensor.Sources.Length;
        }, cancellation);
    }

    static double Rate(Func<int, long> once, CancellationToken cancellation)
    {
        long done = once(0), begin = Stopwatch.GetTimestamp();
        done = 0;
        for (int round = 1; ; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            done += once(round);
            var elapsed = Stopwatch.GetElapsedTime(begin);
            if (elapsed > Each) return Math.Max(1, done) / elapsed.TotalSeconds;
        }
    }
}
