using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// A tensor under another name, or in another type: a full copy that an adapter holds in place of the base's, a repeated layer.
/// </summary>
/// <param name="name">The new name.</param>
/// <param name="source">The tensor.</param>
/// <param name="type">The type in which it is written; that of the source by default.</param>
sealed class RenamedTensor(string name, TensorSource source, DType? type = null) : TensorSource
{
    public override string Name => name;

    public override Shape Shape => source.Shape;

    public override DType DType => type ?? source.DType;

    public override StoredTensor? Verbatim => DType == source.DType ? source.Verbatim : null;

    public override IEnumerable<StoredTensor> Stored => source.Stored;

    public override void Read(TileReader reader, long start, Span<float> destination) => source.Read(reader, start, destination);
}
