using System.Buffers;
using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>
/// A matrix whose rows are picked from others of the same width while it is read: an embedding brought to another vocabulary. Memory is
/// that of
/// the map; rows that follow one another are read together, and of scattered ones no more than they are.
/// </summary>
/// <param name="own">Gives name and type.</param>
/// <param name="sources">The matrices, [rows, width] each, or vectors: then a row is one element. Null for those that the map does not
/// use.</param>
/// <param name="map">Which rows.</param>
sealed class GatheredTensor(TensorSource own, ImmutableArray<TensorSource?> sources, RowMap map) : TensorSource
{
    readonly long _width = own.Shape.Rank == 1 ? 1 : own.Shape[1];
    readonly Lock _lock = new();
    float[]? _meanOfAll;

    public override string Name => own.Name;

    public override Shape Shape { get; } = own.Shape.Rank == 1 ? new Shape(map.Rows) : new Shape(map.Rows, own.Shape[1]);

    public override DType DType => own.DType;

    public override IEnumerable<StoredTensor> Stored => sources.Where(source => source is not null).SelectMany(source => source!.Stored)
        .Distinct<StoredTensor>(ReferenceEqualityComparer.Instance);

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        while (destination.Length > 0)
        {
            var (row, column) = Math.DivRem(start, _width);
            var run = map.RunOf(row);
            // Means are made row by row.
            long end = run.Source is RowMap.Mean or RowMap.MeanOfAll ? (row + 1) * _width : ((long)run.Start + run.Count) * _width;
            var part = destination[..(int)Math.Min(end - start, destination.Length)];
            int at = run.First + (int)(row - run.Start);
            switch (run.Source)
            {
                case RowMap.Zero: part.Clear(); break;
                case RowMap.Mean: ReadMean(reader, map.Means[at], column, part); break;
                case RowMap.MeanOfAll: MeanOfAll(reader).AsSpan((int)column, part.Length).CopyTo(part); break;
                default: reader.ReadUpTo(sources[run.Source]!, at * _width + column, part, end - start); break;
            }
            start += part.Length;
            destination = destination[part.Length..];
        }
    }

    void ReadMean(TileReader reader, ImmutableArray<SourceRow> of, long column, Span<float> destination)
    {
        float[] buffer = ArrayPool<float>.Shared.Rent(destination.Length);
        var one = buffer.AsSpan(0, destination.Length);
        destination.Clear();
        foreach (var (source, row) in of)
        {
            reader.ReadUpTo(sources[source]!, row * _width + column, one, one.Length);
            for (int i = 0; i < one.Length; i++) destination[i] += one[i];
        }
        for (int i = 0; i < destination.Length; i++) destination[i] /= of.Length;
        ArrayPool<float>.Shared.Return(buffer);
    }

    /// <summary>Read once, by the first worker that needs it.</summary>
    float[] MeanOfAll(TileReader reader)
    {
        lock (_lock)
        {
            if (_meanOfAll is not null) return _meanOfAll;
            var sums = new double[_width];
            var row = new float[_width];
            int rows = 0;
            foreach (var run in map.Runs.Where(run => run.Source != RowMap.MeanOfAll))
            {
                for (int i = 0; i < run.Count; i++, rows++)
                {
                    Read(reader, (run.Start + i) * _width, row);
                    for (int j = 0; j < row.Length; j++) sums[j] += row[j];
                }
            }
            return _meanOfAll = [.. sums.Select(sum => (float)(sum / Math.Max(rows, 1)))];
        }
    }
}
