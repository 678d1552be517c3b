using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Alignment;

/// <summary>
/// A tensor that is no linear layer's weight: base + Σ n_i (x_i − base) / Σ n_i, n_i the number of experts that model i stands for.
/// </summary>
sealed class MeanTensor(TensorSource source, ImmutableArray<(TensorSource Tensor, double Share)> experts) : TensorSource
{
    public override string Name => source.Name;

    public override Shape Shape => source.Shape;

    public override DType DType => source.DType;

    public override IEnumerable<StoredTensor> Stored => experts.SelectMany(expert => expert.Tensor.Stored).Concat(source.Stored);

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        source.Read(reader, start, destination);
        Span<double> sums = stackalloc double[Math.Min(destination.Length, TileReader.StripElements)];
        Span<float> values = stackalloc float[sums.Length];
        for (int first = 0; first < destination.Length; first += sums.Length)
        {
            var part = destination.Slice(first, Math.Min(sums.Length, destination.Length - first));
            sums.Clear();
            foreach (var (tensor, share) in experts)
            {
                tensor.Read(reader, start + first, values[..part.Length]);
                for (int i = 0; i < part.Length; i++) sums[i] += share * ((double)values[i] - part[i]);
            }
            for (int i = 0; i < part.Length; i++) part[i] = (float)(part[i] + sums[i]);
        }
    }

    /// <summary>A model all of whose tensors are such means.</summary>
    public static Checkpoint Of(Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts)
    {
        double total = experts.Sum(expert => expert.Count);
        return baseModel.With(
        [
            .. baseModel.Tensors.Select(tensor => tensor.DType.IsFloat() && experts.All(expert => expert.Checkpoint.Find(tensor.Name)?.Shape == tensor.Shape)
                ? new MeanTensor(tensor, [.. experts.Select(expert => (expert.Checkpoint.Find(tensor.Name)!, expert.Count / total))])
                : tensor),
        ]);
    }
}

/// <summary>Some rows of a matrix.</summary>
sealed class RowRange(TensorSource whole, long first, long count) : TensorSource
{
    public override string Name => whole.Name;

    public override Shape Shape { get; } = new(count, whole.Shape.RowLength);

    public override DType DType => whole.DType;

    public override IEnumerable<StoredTensor> Stored => whole.Stored;

    public override void Read(TileReader reader, long start, Span<float> destination) =>
        whole.Read(reader, first * Shape.RowLength + start, destination);
}
