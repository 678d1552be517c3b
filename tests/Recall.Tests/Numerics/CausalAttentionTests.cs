using System.Runtime.Intrinsics;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

[Trait("kernel", "true")]
public class CausalAttentionTests
{
    /// <summary>Tokens and values of a head around the widths of vectors, tiles and blocks; windows; heads that share keys; a second part.</summary>
    public static TheoryData<int, int, int, int, int, int> Cases()
    {
        var cases = new TheoryData<int, int, int, int, int, int>();
        foreach (int tokens in new[] { 1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 63, 64, 65, 80 }) cases.Add(1, tokens, 2, 1, 6, tokens);
        foreach (int dim in new[] { 2, 14, 16, 18, 62, 64, 66, 96, 130 }) cases.Add(2, 21, 3, 3, dim, 21);
        foreach (int window in new[] { 1, 2, 3, 7, 16, 17, 40, 69, 70 }) cases.Add(2, 70, 4, 2, 10, window);
        cases.Add(2, 259, 6, 2, 8, 259);
        cases.Add(1, 259, 1, 1, 8, 5);
        cases.Add(1, 524, 2, 1, 4, 200);
        return cases;
    }

    [Theory, MemberData(nameof(Cases))]
    public void IsThatOfTheFormula(int texts, int tokens, int heads, int keyValueHeads, int dim, int window)
    {
        var sizes = new AttentionSizes(texts, tokens, heads, keyValueHeads, dim);
        var (queries, keys, values) = (Values(sizes, heads, 1), Values(sizes, keyValueHeads, 2), Values(sizes, keyValueHeads, 3));
        var wanted = Reference(sizes, queries, keys, values, 0.7, window);
        var output = new float[queries.Length];
        CausalAttention.Compute<float>(sizes, queries, keys, values, output, 0.7f, window, 1);
        for (int i = 0; i < output.Length; i++) Assert.Equal(wanted[i], output[i], 1e-5);

        var threads = new float[queries.Length];
        CausalAttention.Compute<float>(sizes, queries, keys, values, threads, 0.7f, window, 3);
        Assert.Equal(output, threads);
    }

    [Fact]
    public void InBFloat16ItIsThatOfFloat32Rounded()
    {
        var sizes = new AttentionSizes(2, 37, 4, 2, 22);
        ushort[] queries = Round(Values(sizes, 4, 4)), keys = Round(Values(sizes, 2, 5)), values = Round(Values(sizes, 2, 6)), output = new ushort[queries.Length];
        CausalAttention.Compute<ushort>(sizes, queries, keys, values, output, 0.3f, 37, 2);
        var wide = new float[queries.Length];
        CausalAttention.Compute<float>(sizes, Widen(queries), Widen(keys), Widen(values), wide, 0.3f, 37, 1);
        Assert.Equal(Round(wide), output);
    }

    [Fact]
    public void LargeScoresDoNotOverflowAndNothingSeesWhatComesLater()
    {
        var sizes = new AttentionSizes(1, 20, 1, 1, 4);
        float[] queries = Values(sizes, 1, 7), keys = Values(sizes, 1, 8), values = Values(sizes, 1, 9);
        for (int i = 0; i < keys.Length; i++) (queries[i], keys[i]) = (queries[i] * 1e4f, keys[i] * 1e4f);
        float[] output = new float[queries.Length], changed = new float[queries.Length];
        CausalAttention.Compute<float>(sizes, queries, keys, values, output, 1, 20, 1);
        Assert.All(output, value => Assert.True(float.IsFinite(value)));
        for (int i = 13 * 4; i < keys.Length; i++) (keys[i], values[i]) = (-keys[i], 5);
        CausalAttention.Compute<float>(sizes, queries, keys, values, changed, 1, 20, 1);
        Assert.Equal(output[..(13 * 4)], changed[..(13 * 4)]);
    }

    [Fact]
    public void ANumberThatIsNoneStaysSo()
    {
        var sizes = new AttentionSizes(1, 18, 1, 1, 4);
        float[] queries = Values(sizes, 1, 1), keys = Values(sizes, 1, 2), values = Values(sizes, 1, 3), output = new float[queries.Length];
        keys[2 * 4] = float.NaN;
        CausalAttention.Compute<float>(sizes, queries, keys, values, output, 1, 18, 1);
        Assert.All(output[..8], value => Assert.False(float.IsNaN(value)));
        Assert.All(output[8..], value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void ExponentialsAreThoseOfMath()
    {
        var random = new Random(4);
        for (int i = 0; i < 20_000; i++)
        {
            float x = i < 100 ? -i / 2f : (float)random.NextDouble() * -(i % 3 == 0 ? 87 : 5);
            Assert.InRange(Softmax.Exp(Vector512.Create(x))[3] / Math.Exp(x), 1 - 2.4e-7, 1 + 2.4e-7);
        }
        Assert.Equal(Vector512<float>.Zero, Softmax.Exp(Vector512.Create(float.NegativeInfinity)));
        Assert.Equal(Vector512<float>.One, Softmax.Exp(Vector512<float>.Zero));
        Assert.True(float.IsNaN(Softmax.Exp(Vector512.Create(float.NaN))[0]));
    }

    static float[] Values(AttentionSizes sizes, int heads, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, sizes.Texts * sizes.Tokens * heads * sizes.HeadDim).Select(_ => (float)(random.NextDouble() * 4 - 2))];
    }

    static double[] Reference(AttentionSizes sizes, float[] queries, float[] keys, float[] values, double scale, int window)
    {
        var output = new double[queries.Length];
        int group = sizes.Heads / sizes.KeyValueHeads, dim = sizes.HeadDim;
        int At(int heads, int text, int token, int head) => ((text * sizes.Tokens + token) * heads + head) * dim;
        for (int text = 0; text < sizes.Texts; text++)
            for (int head = 0; head < sizes.Heads; head++)
                for (int token = 0; token < sizes.Tokens; token++)
                {
                    int first = Math.Max(0, token - window + 1), query = At(sizes.Heads, text, token, head);
                    double[] scores = [.. Enumerable.Range(first, token - first + 1).Select(key =>
                        scale * Enumerable.Range(0, dim).Sum(i => (double)queries[query + i] * keys[At(sizes.KeyValueHeads, text, key, head / group) + i]))];
                    double largest = scores.Max(), sum = scores.Sum(score => Math.Exp(score - largest));
                    for (int key = first; key <= token; key++)
                        for (int i = 0; i < dim; i++)
                            output[query + i] += Math.Exp(scores[key - first] - largest) / sum * values[At(sizes.KeyValueHeads, text, key, head / group) + i];
                }
        return output;
    }

    static ushort[] Round(float[] values)
    {
        var rounded = new ushort[values.Length];
        BFloat16.FromSingle(values, rounded);
        return rounded;
    }

    static float[] Widen(ushort[] values)
    {
        var wide = new float[values.Length];
        BFloat16.ToSingle(values, wide);
        return wide;
    }
}
