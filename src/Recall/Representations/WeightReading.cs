using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Numerics;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>From a checkpoint straight into the memory of torch tensors, float32 or bfloat16.</summary>
static class WeightReading
{
    /// <summary>A new tensor of that type, in no dispose scope, for a tensor of the checkpoint that must have that shape.</summary>
    public static Tensor Read(this Checkpoint checkpoint, string name, Shape shape, ScalarType type, TileReader reader)
    {
        var source = checkpoint.Require(name, shape);
        var values = empty([.. shape.Dimensions], type).DetachFromDisposeScope();
        source.ReadInto(values, reader);
        return values;
    }

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="RecallException">Not there, or of another shape.</exception>
    public static TensorSource Require(this Checkpoint checkpoint, string name, Shape shape)
    {
        var source = checkpoint.Find(name) ?? throw new RecallException(
            $"{checkpoint.Path}: tensor {name} is missing, which its config.json asks for; are the weights complete, and those of this config?");
        return source.Shape == shape ? source : throw new RecallException(
            $"{checkpoint.Path}: tensor {name} has shape {source.Shape}, its config.json asks for {shape}; is the config that of these weights?");
    }

    /// <summary>Fills a contiguous tensor of as many elements.</summary>
    public static void ReadInto(this TensorSource source, Tensor values, TileReader reader)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var flat = values.view(-1);
        Span<float> strip = stackalloc float[TileReader.StripElements];
        reader.BeginTensor();
        // By tiles, since a span over a whole embedding can have more than 2³¹ bytes.
        for (long tile = 0, elements = source.Shape.Elements; tile < elements; tile += TileReader.TileElements)
        {
            int count = (int)Math.Min(TileReader.TileElements, elements - tile);
            using var view = flat.narrow(0, tile, count);
            var bytes = view.bytes;
            reader.Begin(count);
            for (int start = 0; start < count; start += strip.Length)
            {
                int length = Math.Min(strip.Length, count - start);
                if (values.dtype == ScalarType.Float32)
                {
                    source.Read(reader, tile + start, MemoryMarshal.Cast<byte, float>(bytes).Slice(start, length));
                    continue;
                }
                source.Read(reader, tile + start, strip[..length]);
                BFloat16.FromSingle(strip[..length], MemoryMarshal.Cast<byte, ushort>(bytes).Slice(start, length));
            }
        }
    }
}
