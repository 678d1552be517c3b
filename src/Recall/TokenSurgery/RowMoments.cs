using Recall.Checkpoints;

namespace Recall.TokenSurgery;

/// <summary>Mean row and standard deviation of the elements of a matrix.</summary>
/// <param name="Mean">[width].</param>
/// <param name="Deviation">Of all elements.</param>
sealed record RowMoments(float[] Mean, float Deviation)
{
    public static RowMoments Of(TensorSource matrix)
    {
        int width = checked((int)matrix.Shape[1]);
        var sums = new double[width];
        var values = new float[TileReader.StripElements];
        double squares = 0;
        var reader = new TileReader();
        reader.BeginTensor();
        for (long tile = 0; tile < matrix.Shape.Elements; tile += TileReader.TileElements)
        {
            long end = Math.Min(matrix.Shape.Elements, tile + TileReader.TileElements);
            reader.Begin(end - tile);
            for (long at = tile; at < end; at += values.Length)
            {
                var part = values.AsSpan(0, (int)Math.Min(values.Length, end - at));
                matrix.Read(reader, at, part);
                for (int i = 0; i < part.Length; i++)
                {
                    sums[(at + i) % width] += part[i];
                    squares += (double)part[i] * part[i];
                }
            }
        }
        double mean = sums.Sum() / matrix.Shape.Elements;
        return new RowMoments(
            [.. sums.Select(sum => (float)(sum / matrix.Shape[0]))], (float)Math.Sqrt(Math.Max(0, squares / matrix.Shape.Elements - mean * mean)));
    }
}
