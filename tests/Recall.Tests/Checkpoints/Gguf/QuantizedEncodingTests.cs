using System.Runtime.InteropServices;
using CsCheck;
using Recall.Checkpoints;
using Recall.Checkpoints.Gguf;
using Recall.Checkpoints.Safetensors;

namespace Recall.Tests.Checkpoints.Gguf;

/// <summary>The block types against ggml's own results, and their vector form against their definition.</summary>
public class QuantizedEncodingTests
{
    static readonly (uint Type, string Name)[] Types =
    [
        (2, "Q4_0"), (3, "Q4_1"), (6, "Q5_0"), (7, "Q5_1"), (8, "Q8_0"), (10, "Q2_K"), (11, "Q3_K"), (12, "Q4_K"), (13, "Q5_K"), (14, "Q6_K"),
    ];

    public static TheoryData<string> Names => [.. Types.Select(type => type.Name)];

    [Theory, MemberData(nameof(Names))]
    public void DecodesBitForBitAsGgml(string name)
    {
        using var file = DataFile.Open(Fixtures.Path("gguf", "quants", $"{name}.safetensors"));
        var tensors = SafetensorsFile.Read(file).Tensors.ToDictionary(tensor => tensor.Name);
        var raw = new byte[tensors["raw"].Length];
        file.Read(tensors["raw"].Offset, raw);
        var expected = new float[tensors["f32"].Shape.Elements];
        file.Read(tensors["f32"].Offset, MemoryMarshal.AsBytes(expected.AsSpan()));
        foreach (bool vectors in new[] { false, true })
        {
            var values = new float[expected.Length];
            Find(name).Decode(raw, values, vectors);
            Assert.Equal(Bits(expected), Bits(values));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void VectorsAndScalarsAgreeOnAnyBytes(string name)
    {
        var encoding = Find(name);
        Gen.Byte.Array[encoding.BlockBytes * 3].Sample(bytes =>
        {
            float[] scalars = new float[3 * encoding.BlockElements], vectors = new float[scalars.Length];
            encoding.Decode(bytes, scalars, vectors: false);
            encoding.Decode(bytes, vectors, vectors: true);
            for (int i = 0; i < scalars.Length; i++)
            {
                bool same = BitConverter.SingleToInt32Bits(scalars[i]) == BitConverter.SingleToInt32Bits(vectors[i]);
                Assert.True(same || (float.IsNaN(scalars[i]) && float.IsNaN(vectors[i])), $"element {i}: {scalars[i]:R} and {vectors[i]:R}");
            }
        }, iter: 500);
    }

    [Fact]
    public void EncodingRefusesHalfABlock()
        => Assert.Throws<ArgumentOutOfRangeException>(() => Find("Q8_0").Decode(new byte[33], new float[32]));

    static QuantizedEncoding Find(string name)
    {
        var encoding = GgufEncoding.Of(Types.Single(type => type.Name == name).Type, out _)!;
        Assert.Equal(name, encoding.Name);
        return (QuantizedEncoding)encoding.Encoding;
    }

    static int[] Bits(float[] values) => MemoryMarshal.Cast<float, int>(values).ToArray();
}
