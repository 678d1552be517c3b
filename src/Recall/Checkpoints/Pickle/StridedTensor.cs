using Recall.Numerics;

namespace Recall.Checkpoints.Pickle;

/// <summary>A view of a storage whose elements do not lie one after the other: transposed, sliced, or repeated.</summary>
/// <param name="name">Its name.</param>
/// <param name="shape">Its extents.</param>
/// <param name="strides">Elements from one index to the next, in each dimension.</param>
/// <param name="range">The stored elements from the first to the last that it has.</param>
sealed class StridedTensor(string name, Shape shape, long[] strides, StoredTensor range) : TensorSource
{
    const float LargestExact = 1 << 24;

    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override Shape Shape => shape;

    /// <inheritdoc/>
    public override DType DType => range.DType;

    /// <inheritdoc/>
    public override IEnumerable<StoredTensor> Stored => [range];

    /// <inheritdoc/>
    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        Gather(reader, start, destination);
        // Such integers go through float32; where that would round them an error is better than another number.
        if (DType is DType.I64 or DType.U64 or DType.I32 or DType.U32 && destination.ContainsAnyExceptInRange(-LargestExact, LargestExact))
            throw new RecallException($"{range.File.Path}: tensor {Quoted.Of(name)} is a view that holds integers above 2^24; save it with .contiguous()");
    }

    void Gather(TileReader reader, long start, Span<float> destination)
    {
        long columns = shape[-1], stride = strides[^1];
        while (destination.Length > 0)
        {
            var (row, column) = Math.DivRem(start, columns);
            int taken = (int)Math.Min(columns - column, destination.Length);
            long place = PlaceOfRow(row) + column * stride;
            if (stride == 1) reader.Decode(range, place, destination[..taken]);
            else
            {
                var values = reader.Whole(range);
                for (int i = 0; i < taken; i++) destination[i] = values[(int)(place + i * stride)];
            }
            start += taken;
            destination = destination[taken..];
        }
    }

    long PlaceOfRow(long row)
    {
        long place = 0;
        for (int i = shape.Rank - 2; i >= 0; i--)
        {
            (row, long index) = Math.DivRem(row, shape[i]);
            place += index * strides[i];
        }
        return place;
    }
}
