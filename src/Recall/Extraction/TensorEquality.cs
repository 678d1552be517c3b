using Recall.Checkpoints;

namespace Recall.Extraction;

/// <summary>Whether two tensors hold the same values.</summary>
static class TensorEquality
{
    /// <summary>Compares value by value.</summary>
    public static bool Same(TensorSource one, TensorSource other)
    {
        if (one.Shape != other.Shape) return false;
        var reader = new TileReader();
        float[] a = new float[TileReader.StripElements], b = new float[TileReader.StripElements];
        for (long tile = 0; tile < one.Shape.Elements; tile += TileReader.TileElements)
        {
            long end = Math.Min(one.Shape.Elements, tile + TileReader.TileElements);
            reader.Begin(end - tile);
            for (long at = tile; at < end; at += a.Length)
            {
                int length = (int)Math.Min(a.Length, end - at);
                one.Read(reader, at, a.AsSpan(0, length));
                other.Read(reader, at, b.AsSpan(0, length));
                if (!a.AsSpan(0, length).SequenceEqual(b.AsSpan(0, length))) return false;
            }
        }
        return true;
    }
}
