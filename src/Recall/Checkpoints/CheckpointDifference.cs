using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>How far two checkpoints are apart, tensor by tensor.</summary>
/// <param name="Tensors">Tensors that both have in the same shape, in the order of the first checkpoint.</param>
/// <param name="Shapes">Tensors that both have, in different shapes.</param>
/// <param name="OnlyInA">Names that only the first has.</param>
/// <param name="OnlyInB">Names that only the second has.</param>
public sealed record CheckpointDifference(
    ImmutableArray<TensorDifference> Tensors,
    ImmutableArray<(TensorSource A, TensorSource B)> Shapes,
    ImmutableArray<string> OnlyInA,
    ImmutableArray<string> OnlyInB)
{
    /// <summary>Elements of one piece of work. Sums are added in order: the result is the same on any number of threads.</summary>
    const long PieceElements = 16L * TileReader.TileElements;

    /// <summary>The largest difference of two values; infinite where a NaN or an infinity stands beside something else.</summary>
    public double Largest =>
        Tensors.Select(tensor => tensor.Sums.NotComparable > 0 ? double.PositiveInfinity : tensor.Sums.Largest).DefaultIfEmpty().Max();

    /// <summary>True if both have the same names and shapes, and no two values differ by more than the tolerance.</summary>
    public bool Within(double tolerance) => Shapes.IsEmpty && OnlyInA.IsEmpty && OnlyInB.IsEmpty && Largest <= tolerance;

    /// <summary>Bytes that <see cref="Between"/> reads.</summary>
    public static long BytesToRead(Checkpoint a, Checkpoint b) =>
        a.Tensors.Where(tensor => b.Find(tensor.Name) is { } other && other.Shape == tensor.Shape)
            .Sum(tensor => Length(tensor) + Length(b.Find(tensor.Name)!));

    /// <summary>Reads both, tile by tile, as float32.</summary>
    /// <param name="a">The one.</param>
    /// <param name="b">The other.</param>
    /// <param name="threads">Threads that read and compare.</param>
    /// <param name="progress">Is told the bytes of each tile that is done, from any thread.</param>
    /// <param name="cancellation">Stops between two tiles.</param>
    public static CheckpointDifference Between(
        Checkpoint a, Checkpoint b, int threads, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        var pairs = a.Tensors.Select(tensor => (A: tensor, B: b.Find(tensor.Name)!)).Where(pair => pair.B is not null).ToList();
        var alike = pairs.Where(pair => pair.A.Shape == pair.B.Shape).ToList();
        var pieces = alike.SelectMany((pair, index) => Pieces(pair.A).Select(start => (Index: index, Start: start))).ToList();
        var sums = new DifferenceSums[pieces.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        Parallel.For(0, pieces.Count, options, () => new Worker(), (i, _, worker) =>
        {
            var (left, right) = alike[pieces[i].Index];
            sums[i] = worker.Compare(left, right, pieces[i].Start, progress, cancellation);
            return worker;
        }, _ => { });

        var total = new DifferenceSums[alike.Count];
        for (int i = 0; i < pieces.Count; i++) total[pieces[i].Index] += sums[i];
        return new CheckpointDifference(
            [.. alike.Select((pair, index) => new TensorDifference(pair.A, pair.B, total[index]))],
            [.. pairs.Where(pair => pair.A.Shape != pair.B.Shape)],
            [.. a.Tensors.Select(tensor => tensor.Name).Where(name => b.Find(name) is null)],
            [.. b.Tensors.Select(tensor => tensor.Name).Where(name => a.Find(name) is null)]);
    }

    static IEnumerable<long> Pieces(TensorSource tensor)
    {
        for (long start = 0; start < tensor.Shape.Elements; start += PieceElements) yield return start;
    }

    static long Length(TensorSource tensor) => tensor.Stored.Sum(stored => stored.Length);

    /// <summary>The buffers of one thread.</summary>
    sealed class Worker
    {
        readonly TileReader _reader = new();
        readonly float[] _a = new float[TileReader.StripElements], _b = new float[TileReader.StripElements];

        public DifferenceSums Compare(TensorSource a, TensorSource b, long start, Action<long>? progress, CancellationToken cancellation)
        {
            var sums = new DifferenceSums();
            long elements = a.Shape.Elements, end = Math.Min(elements, start + PieceElements), bytes = Length(a) + Length(b);
            _reader.BeginTensor();
            for (long tile = start; tile < end; tile += TileReader.TileElements)
            {
                cancellation.ThrowIfCancellationRequested();
                long tileEnd = Math.Min(end, tile + TileReader.TileElements);
                _reader.Begin(tileEnd - tile);
                for (long strip = tile; strip < tileEnd; strip += TileReader.StripElements)
                {
                    int length = (int)Math.Min(TileReader.StripElements, tileEnd - strip);
                    a.Read(_reader, strip, _a.AsSpan(0, length));
                    b.Read(_reader, strip, _b.AsSpan(0, length));
                    sums += DifferenceSums.Of(_a.AsSpan(0, length), _b.AsSpan(0, length));
                }
                progress?.Invoke((long)((double)bytes * (tileEnd - tile) / elements));
            }
            return sums;
        }
    }
}

/// <summary>How far two tensors of the same name and shape are apart.</summary>
public sealed record TensorDifference(TensorSource A, TensorSource B, DifferenceSums Sums)
{
    /// <summary>Their name.</summary>
    public string Name => A.Name;
}
