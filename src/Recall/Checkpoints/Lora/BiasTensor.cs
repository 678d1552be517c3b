using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>A bias with the bias of lora_B added, times the scale (PEFT's lora_bias).</summary>
sealed class BiasTensor(TensorSource source, StoredTensor bias, float scale) : TensorSource
{
    public override string Name => source.Name;

    public override Shape Shape => source.Shape;

    public override DType DType => source.DType;

    public override IEnumerable<StoredTensor> Stored => [.. source.Stored, bias];

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        source.Read(reader, start, destination);
        var added = reader.Whole(bias);
        Finite.Check(bias, added);
        for (int i = 0; i < destination.Length; i++) destination[i] += added[(int)start + i] * scale;
    }
}
