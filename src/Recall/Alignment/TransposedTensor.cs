using Recall.Checkpoints;
using Recall.Numerics;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>A matrix that is stored the other way round, read whole into memory.</summary>
sealed class TransposedTensor : TensorSource
{
    readonly float[] _values;

    /// <summary>Reads.</summary>
    public TransposedTensor(TensorSource stored, TileReader reader)
    {
        using var scope = NewDisposeScope();
        (Source, Shape) = (stored, new Shape(stored.Shape[1], stored.Shape[0]));
        var values = empty([stored.Shape[0], stored.Shape[1]], ScalarType.Float32);
        stored.ReadInto(values, reader);
        _values = values.t().contiguous().data<float>().ToArray();
    }

    /// <summary>The matrix as it is stored.</summary>
    public TensorSource Source { get; }

    public override string Name => Source.Name;

    public override Shape Shape { get; }

    public override DType DType => Source.DType;

    public override IEnumerable<StoredTensor> Stored => Source.Stored;

    public override void Read(TileReader reader, long start, Span<float> destination) =>
        _values.AsSpan((int)start, destination.Length).CopyTo(destination);
}
