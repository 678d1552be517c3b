using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>
/// Tensors one behind the other in memory, seen as one of another shape: the matrices of all experts as [experts, rows, columns], say.
/// </summary>
/// <param name="name">Its name.</param>
/// <param name="shape">Its extents: as many elements as the parts have together.</param>
/// <param name="parts">The parts, in order.</param>
sealed class StackedTensor(string name, Shape shape, ImmutableArray<TensorSource> parts) : TensorSource
{
    readonly ImmutableArray<long> _ends = [.. Ends(parts)];

    public override string Name => name;

    public override Shape Shape => shape;

    public override DType DType => parts.Select(part => part.DType).Aggregate(DTypes.Promote);

    public override IEnumerable<StoredTensor> Stored => parts.SelectMany(part => part.Stored);

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        int part = _ends.BinarySearch(start + 1);
        if (part < 0) part = ~part;
        while (part > 0 && _ends[part - 1] > start) part--;     // parts without elements end where the one before does
        for (; destination.Length > 0; part++)
        {
            int take = (int)Math.Min(_ends[part] - start, destination.Length);
            parts[part].Read(reader, start - (_ends[part] - parts[part].Shape.Elements), destination[..take]);
            start += take;
            destination = destination[take..];
        }
    }

    static IEnumerable<long> Ends(ImmutableArray<TensorSource> parts)
    {
        long end = 0;
        foreach (var part in parts) yield return end += part.Shape.Elements;
    }
}
