using CsCheck;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

public class LowRankTests
{
    [Fact]
    public void RowIsTheSumInOrderRoundedAtEachStepWhateverPieceIsAskedFor() =>
        Gen.Select(Gen.Int[1, 9], Gen.Int[1, 150], Gen.Int[1, 3], Gen.Float[-2, 2]).Sample((rank, width, stride, scale) =>
        {
            var random = new Random(rank * 1000 + width);
            float[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
            float[] left = Draw(rank * stride), right = Draw(rank * width), start = Draw(width), expected = (float[])start.Clone();
            for (int c = 0; c < width; c++)
            {
                float sum = 0;
                for (int k = 0; k < rank; k++)
                {
                    float product = left[k * stride] * right[k * width + c];
                    sum += product;
                }
                float scaled = sum * scale;
                expected[c] += scaled;
            }
            for (int cut = 0; cut <= width; cut += Math.Max(1, width / 7))
            {
                var found = (float[])start.Clone();
                LowRank.AddRow(left, stride, right, width, rank, scale, found.AsSpan(0, cut));
                if (cut < width) LowRank.AddRow(left, stride, right.AsSpan(cut), width, rank, scale, found.AsSpan(cut));
                Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), found.Select(BitConverter.SingleToInt32Bits));
            }
        }, iter: 300);

    [Fact]
    public void FactorsThatAreTooShortAreNotReadBeyondTheirEnd()
    {
        Assert.Throws<IndexOutOfRangeException>(() => LowRank.AddRow(new float[3], 1, new float[40], 10, 4, 1, new float[10]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LowRank.AddRow(new float[4], 1, new float[39], 10, 4, 1, new float[10]));
    }
}
