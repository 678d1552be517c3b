using System.Numerics;
using System.Runtime.InteropServices;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>Each type against a loop that says in one line what is meant.</summary>
[Trait("kernel", "true")]
public class PlainEncodingTests
{
    public static TheoryData<DType> Types => [.. Enum.GetValues<DType>()];

    [Theory, MemberData(nameof(Types))]
    public void EncodeAndDecodeEqualTheScalarLoopAtEveryLengthAndStart(DType type)
    {
        var all = Samples.Floats(200);
        int size = type.Size();
        foreach (int length in Samples.Lengths)
        {
            for (int shift = 0; shift < 3; shift++)
            {
                var source = Samples.Unaligned<float>(all.AsSpan(0, length), shift);
                var encoded = new byte[shift + length * size + 1];
                encoded[^1] = 0xAB;
                PlainEncoding.Of(type).Encode(source, encoded.AsSpan(shift, length * size));
                Assert.Equal(0xAB, encoded[^1]);
                var decoded = new float[shift + length + 1];
                decoded[^1] = 42;
                PlainEncoding.Of(type).Decode(encoded.AsSpan(shift, length * size), decoded.AsSpan(shift, length));
                Assert.Equal(42, decoded[^1]);
                for (int i = 0; i < length; i++)
                {
                    var bytes = encoded.AsSpan(shift + i * size, size).ToArray();
                    Assert.True(Same(type, Write(type, all[i]), bytes), $"{type}: {all[i]:R} is written as {Convert.ToHexString(bytes)}");
                    Assert.Equal(Samples.Bits([Read(type, bytes)]), Samples.Bits([decoded[shift + i]]));
                }
            }
        }
    }

    [Fact]
    public void All65536HalvesAreReadExactlyAndComeBack()
    {
        var codes = Enumerable.Range(0, 65536).Select(code => (ushort)code).ToArray();
        var values = new float[codes.Length];
        PlainEncoding.Of(DType.F16).Decode(MemoryMarshal.AsBytes(codes.AsSpan()), values);
        var back = new ushort[codes.Length];
        PlainEncoding.Of(DType.F16).Encode(values, MemoryMarshal.AsBytes(back.AsSpan()));
        for (int code = 0; code < codes.Length; code++)
        {
            var half = BitConverter.UInt16BitsToHalf((ushort)code);
            if (Half.IsNaN(half))
            {
                Assert.True(float.IsNaN(values[code]) && Half.IsNaN(BitConverter.UInt16BitsToHalf(back[code])));
                continue;
            }
            Assert.Equal(BitConverter.SingleToUInt32Bits((float)half), BitConverter.SingleToUInt32Bits(values[code]));
            Assert.Equal(code, back[code]);
        }
    }

    [Theory]
    [InlineData(DType.I8, 127.6f, 127)]
    [InlineData(DType.I8, -1e9f, -128)]
    [InlineData(DType.U8, -3f, 0)]
    [InlineData(DType.U8, 2.5f, 2)]
    [InlineData(DType.U8, 3.5f, 4)]
    [InlineData(DType.I16, float.PositiveInfinity, 32767)]
    [InlineData(DType.I32, float.NaN, 0)]
    [InlineData(DType.I32, 3e9f, 2147483648)]
    [InlineData(DType.Bool, -0.25f, 1)]
    [InlineData(DType.Bool, -0f, 0)]
    public void IntegersRoundToEvenAndSaturate(DType type, float value, double expected)
    {
        var bytes = new byte[type.Size()];
        PlainEncoding.Of(type).Encode([value], bytes);
        var back = new float[1];
        PlainEncoding.Of(type).Decode(bytes, back);
        Assert.Equal(expected, back[0]);
    }

    [Fact]
    public void LengthsMustAgree()
    {
        foreach (var type in Enum.GetValues<DType>())
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => PlainEncoding.Of(type).Encode(new float[3], new byte[3 * type.Size() + 1]));
            Assert.Throws<ArgumentOutOfRangeException>(() => PlainEncoding.Of(type).Decode(new byte[3 * type.Size() + 1], new float[3]));
        }
    }

    static bool Same(DType type, byte[] expected, byte[] actual) =>
        expected.AsSpan().SequenceEqual(actual) || (type.IsFloat() && float.IsNaN(Read(type, expected)) && float.IsNaN(Read(type, actual)));

    static byte[] Write(DType type, float value) => type switch
    {
        DType.F32 => BitConverter.GetBytes(value),
        DType.F64 => BitConverter.GetBytes((double)value),
        DType.F16 => BitConverter.GetBytes((Half)value),
        DType.BF16 => BitConverter.GetBytes(((BFloat16)value).Bits),
        DType.F8E4M3 => [Float8.ToE4M3(value)],
        DType.F8E5M2 => [Float8.ToE5M2(value)],
        DType.Bool => [value == 0 ? (byte)0 : (byte)1],
        DType.U8 => [(byte)Whole(value, 0, byte.MaxValue)],
        DType.I8 => [(byte)(sbyte)Whole(value, sbyte.MinValue, sbyte.MaxValue)],
        DType.U16 => BitConverter.GetBytes((ushort)Whole(value, 0, ushort.MaxValue)),
        DType.I16 => BitConverter.GetBytes((short)Whole(value, short.MinValue, short.MaxValue)),
        DType.U32 => BitConverter.GetBytes((uint)Whole(value, 0, uint.MaxValue)),
        DType.I32 => BitConverter.GetBytes((int)Whole(value, int.MinValue, int.MaxValue)),
        DType.U64 => BitConverter.GetBytes((ulong)Whole(value, 0, ulong.MaxValue)),
        _ => BitConverter.GetBytes((long)Whole(value, long.MinValue, long.MaxValue)),
    };

    static BigInteger Whole(float value, BigInteger least, BigInteger most)
    {
        if (float.IsNaN(value)) return 0;
        if (float.IsInfinity(value)) return value < 0 ? least : most;
        return BigInteger.Clamp(new BigInteger(Math.Round((double)value, MidpointRounding.ToEven)), least, most);
    }

    static float Read(DType type, byte[] bytes) => type switch
    {
        DType.F32 => BitConverter.ToSingle(bytes),
        DType.F64 => (float)BitConverter.ToDouble(bytes),
        DType.F16 => (float)BitConverter.ToHalf(bytes),
        DType.BF16 => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(bytes) << 16),
        DType.F8E4M3 => Float8.E4M3[bytes[0]],
        DType.F8E5M2 => Float8.E5M2[bytes[0]],
        DType.Bool => bytes[0] == 0 ? 0 : 1,
        DType.U8 => bytes[0],
        DType.I8 => (sbyte)bytes[0],
        DType.U16 => BitConverter.ToUInt16(bytes),
        DType.I16 => BitConverter.ToInt16(bytes),
        DType.U32 => BitConverter.ToUInt32(bytes),
        DType.I32 => BitConverter.ToInt32(bytes),
        DType.U64 => BitConverter.ToUInt64(bytes),
        _ => BitConverter.ToInt64(bytes),
    };
}
