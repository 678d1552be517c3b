using System.Collections.Immutable;
using Recall.Checkpoints;

namespace Recall.Planning;

/// <summary>What a merge takes, from headers alone.</summary>
/// <param name="BytesToRead">Bytes of weights read from files; those of a statistics pass counted again.</param>
/// <param name="OutputBytes">Bytes of the output's weights.</param>
/// <param name="PeakMemory">Resident memory at most, in bytes: an estimate.</param>
/// <param name="ForwardParameters">In a merge by representations: weights that each sample token is multiplied with, all models together.</param>
public sealed record MergeCost(long BytesToRead, long OutputBytes, long PeakMemory, long ForwardParameters)
{
    const long Runtime = 60_000_000, LibTorch = 350_000_000;

    /// <summary>
    /// What allocators and BLAS keep back beside what is asked of them, in merges by least squares, and for each element of the largest
    /// matrix: as measured.
    /// </summary>
    const long KeptBack = 300_000_000, KeptBackAnElement = 38;

    internal static MergeCost Of(
        ImmutableArray<OutputTensor> tensors, ImmutableArray<OutputShard> shards, LayerWeighting? weighting, MergeOptions options)
    {
        bool forward = weighting is not null && options.WeightsFile is null;
        long read = 0, parameters = 0, tile = 0, kept = 0, before = 0;
        foreach (var tensor in tensors)
        {
            var stored = tensor.Sources.SelectMany(source => source.Stored).Distinct<StoredTensor>(ReferenceEqualityComparer.Instance).ToList();
            bool resident = forward && tensor.WeightLayer > 0;
            var merge = tensor.Copied is null ? tensor.Merge(weighting, null) : null;
            int passes = resident || merge is null ? 1 : 1 + merge.Passes;
            // While one tensor ends, the next one has begun.
            long own = merge?.KeptBytes ?? 0;
            (kept, before) = (Math.Max(kept, before + own), own);
            long bytes = stored.Sum(each => each.Length);
            read += passes * bytes;
            if (passes > 1 && merge is { SampleStride: > 1 and var stride }) read -= bytes - bytes / stride;      // the first pass is a sample
            if (forward && tensor.Shape.Rank == 2 && !tensor.Inputs.IsEmbedding) parameters += tensor.Shape.Elements * weighting!.Models.Length;
            tile = Math.Max(tile, stored.Sum(each => Math.Min(each.Length, each.Encoding.Bytes(TileReader.TileElements + 256))));
        }
        long memory = Runtime + kept + options.Threads * (tile + 4L * TileReader.TileElements + 64L * 4 * TileReader.StripElements);
        if (forward)
        {
            var layers = tensors.GroupBy(tensor => tensor.WeightLayer).Where(group => group.Key > 0);
            long stored = layers.Max(group => group.SelectMany(tensor => tensor.Sources).SelectMany(source => source.Stored)
                .Distinct<StoredTensor>(ReferenceEqualityComparer.Instance).Sum(each => each.Length));
            long widened = layers.Max(group => group.Where(tensor => !tensor.Inputs.IsEmbedding).Sum(tensor => 4 * tensor.Shape.Elements));
            long hidden = tensors.Where(tensor => tensor.Shape.Rank == 1).Max(tensor => tensor.Shape.Elements);
            long states = 4 * hidden * weighting!.Options.Count * weighting.Options.MaxTokens * weighting.Models.Length;
            memory += LibTorch + stored + widened + 4 * states;
        }
        return new MergeCost(read, shards.Sum(shard => shard.Length), memory, parameters);
    }

    /// <summary>
    /// Least squares on layer inputs: one layer of all models as stored; ranges of rows in double precision; of the texts the hidden states
    /// and one layer's inputs, in two streams; and the larger of what statistics take and what a step of a forward pass takes.
    /// </summary>
    internal static MergeCost OfAlignment(
        ImmutableArray<OutputTensor> tensors, ImmutableArray<OutputShard> shards, PlannedAlignment alignment, bool transposed)
    {
        var matrices = tensors.Where(tensor => tensor.WeightLayer > 0 && tensor.Shape.Rank is 2 or 3 && !tensor.Inputs.IsEmbedding)
            .Select(tensor => SolvedMatrix.Of(tensor, transposed)).ToList();
        long Stored(IEnumerable<OutputTensor> some) => some.SelectMany(tensor => tensor.Sources).SelectMany(source => source.Stored)
            .Distinct<StoredTensor>(ReferenceEqualityComparer.Instance).Sum(stored => stored.Length);
        var layers = tensors.Where(tensor => tensor.WeightLayer > 0 && !tensor.Inputs.IsEmbedding).GroupBy(tensor => tensor.WeightLayer).ToList();
        long widest = matrices.Select(matrix => matrix.Inputs).DefaultIfEmpty().Max();
        long largest = matrices.Select(matrix => matrix.Inputs * matrix.Outputs).DefaultIfEmpty().Max();
        long hidden = tensors.Where(tensor => tensor.Shape.Rank == 1).Select(tensor => tensor.Shape.Elements).DefaultIfEmpty().Max();
        long read = alignment.Experts.Count(expert => expert.Samples is not null), tokens = read * alignment.Options.Count * alignment.Options.MaxTokens;
        long states = 8 * tokens * (hidden + widest);
        // Weights of a step in float32 as read and as used, of one stream the next inputs, and a batch's values before and after activation.
        long step = 12 * largest + 4 * tokens * widest + 12 * Math.Min(tokens, 2048) * widest + 8 * widest * widest;
        long statistics = matrices.GroupBy(matrix => (matrix.Layer, matrix.Expert, matrix.Inputs))
            .Select(group => Statistics(alignment.Experts.Length, group.Key.Inputs, group.Sum(matrix => matrix.Outputs))).DefaultIfEmpty().Max();
        long memory = Runtime + LibTorch + KeptBack + KeptBackAnElement * largest + layers.Select(Stored).DefaultIfEmpty().Max()
            + 6 * 8 * Math.Min(largest, 4 << 20) + states + Math.Max(statistics, step);
        return new MergeCost(
            Stored(tensors), shards.Sum(shard => shard.Length), memory, matrices.Sum(matrix => matrix.Inputs * matrix.Outputs) * 2 * Math.Max(read, 1));
    }

    /// <summary>
    /// Bytes of a step's matrices in double precision. Where the layers have fewer outputs than all experts' inputs together, two of
    /// [in, in] (A, which is factorised in its own memory, and the second moment that is being added; or, where it takes less than the
    /// outputs, a cross moment and its sum, too), and for all outputs numerators and targets, whatever the number of experts; else a
    /// second moment and a cross moment an expert, their sums and a factorisation.
    /// </summary>
    static long Statistics(int experts, long inputs, long outputs) => 8 * inputs
        * (outputs >= experts * inputs ? (2 * experts + 3) * inputs : (outputs < inputs ? 2 : 3) * inputs + 2 * outputs);

    /// <summary>The weight of a linear layer as it is solved for; of experts in one stack it is that of one.</summary>
    readonly record struct SolvedMatrix(int Layer, string Expert, long Outputs, long Inputs)
    {
        const string Experts = ".experts.";

        public static SolvedMatrix Of(OutputTensor tensor, bool transposed)
        {
            var (outputs, inputs) = (tensor.Shape[-2], tensor.Shape[-1]);
            if (transposed) (outputs, inputs) = (inputs, outputs);
            if (tensor.Shape.Rank == 3) return new SolvedMatrix(tensor.WeightLayer, "*", outputs, inputs);
            int begin = tensor.Name.IndexOf(Experts, StringComparison.Ordinal);
            string expert = begin < 0 ? "" : tensor.Name[(begin + Experts.Length)..].Split('.')[0];
            return new SolvedMatrix(tensor.WeightLayer, expert, outputs, inputs);
        }
    }
}
