using Recall.TokenSurgery;
using TorchSharp;

namespace Recall.Tests.TokenSurgery;

/// <summary>The row with the largest product, found by rounded products, beside a loop over all rows in float64.</summary>
public class LargestProductsTests
{
    static float[] Normal(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() + random.NextDouble() - random.NextDouble() - random.NextDouble()))];

    [Theory]
    [InlineData(torch.ScalarType.BFloat16, 5000, 24), InlineData(torch.ScalarType.Float32, 5000, 24)]
    [InlineData(torch.ScalarType.BFloat16, 3, 7), InlineData(torch.ScalarType.Float32, 1, 1), InlineData(torch.ScalarType.BFloat16, 4096, 96)]
    public void TheRowIsThatOfALoopOverAllOfThem(torch.ScalarType type, int rows, int width)
    {
        const int Groups = 13, Each = 3;
        var random = new Random(rows + width);
        float[] matrix = Normal(random, rows * width), vectors = Normal(random, Groups * Each * width);
        // Rows that differ by less than bfloat16 tells apart, rows that are the same, rows of other lengths, a row of zeros.
        for (int i = 0; i < rows; i++)
        {
            var row = matrix.AsSpan(i * width, width);
            if (i % 5 == 1) matrix.AsSpan((i - 1) * width, width).CopyTo(row);
            if (i % 5 == 1 && i % 2 == 0) row[i % width] *= 1 + 1e-6f;
            if (i % 5 == 2) row.Clear();
            if (i % 97 == 3)
                foreach (ref float value in row) value *= 1.5f;
        }
        vectors.AsSpan(0, width).Clear();
        using var tensor = torch.tensor(matrix, [rows, width]);
        using var products = new LargestProducts(tensor, type);
        var found = products.Find(vectors, Groups);
        for (int group = 0; group < Groups; group++)
        {
            (int Vector, int Row, double Product) best = (0, 0, -1);
            for (int vector = 0; vector < Each; vector++)
            {
                for (int row = 0; row < rows; row++)
                {
                    double product = 0;
                    for (int i = 0; i < width; i++) product += (double)matrix[row * width + i] * vectors[(vector * Groups + group) * width + i];
                    if (Math.Abs(product) > best.Product * (1 + 1e-14)) best = (vector, row, Math.Abs(product));
                }
            }
            Assert.Equal((best.Vector, best.Row), found[group]);
        }
    }
}
