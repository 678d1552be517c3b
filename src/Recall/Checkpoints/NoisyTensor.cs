using Recall.Numerics;

namespace Recall.Checkpoints;

/// <summary>A tensor plus normal noise: the same numbers at every reading.</summary>
/// <param name="source">The tensor.</param>
/// <param name="deviation">Standard deviation of the noise.</param>
/// <param name="random">Its numbers.</param>
sealed class NoisyTensor(TensorSource source, double deviation, CounterRandom random) : TensorSource
{
    public override string Name => source.Name;

    public override Shape Shape => source.Shape;

    public override DType DType => source.DType;

    public override IEnumerable<StoredTensor> Stored => source.Stored;

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        source.Read(reader, start, destination);
        random.AddNormal(start, deviation, destination);
    }
}
