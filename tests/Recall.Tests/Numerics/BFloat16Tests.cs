using CsCheck;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

[Trait("kernel", "true")]
public class BFloat16Tests
{
    /// <summary>Rounding to nearest even, said another way: of the two neighbours the nearer one, of two equally near the even one.</summary>
    static ushort Reference(float value)
    {
        if (float.IsNaN(value)) return 0x7FC0;
        uint bits = BitConverter.SingleToUInt32Bits(value);
        ushort below = (ushort)(bits >> 16);
        if (float.IsInfinity(value)) return below;
        double low = Exact(below), high = Exact((ushort)(below + 1)), magnitude = Math.Abs((double)value);
        double toLow = magnitude - Math.Abs(low), toHigh = Math.Abs(high) - magnitude;
        return toLow < toHigh || (toLow == toHigh && (below & 1) == 0) ? below : (ushort)(below + 1);

        // One step above the largest finite value stands 2^128, which rounds to infinity.
        static double Exact(ushort code) => (code & 0x7FFF) == 0x7F80 ? Math.ScaleB(1, 128) : (double)BitConverter.UInt32BitsToSingle((uint)code << 16);
    }

    [Fact]
    public void All65536CodesWidenExactlyAndComeBack()
    {
        var codes = Enumerable.Range(0, 65536).Select(code => (ushort)code).ToArray();
        var values = new float[codes.Length];
        BFloat16.ToSingle(codes, values);
        var back = new ushort[codes.Length];
        BFloat16.FromSingle(values, back);
        for (int code = 0; code < codes.Length; code++)
        {
            Assert.Equal((uint)code << 16, BitConverter.SingleToUInt32Bits(values[code]));
            Assert.Equal(values[code], (float)new BFloat16((ushort)code));
            Assert.Equal(float.IsNaN(values[code]) ? 0x7FC0 : code, back[code]);
        }
    }

    [Fact]
    public void EveryLengthAndStartGivesWhatTheScalarConversionGives()
    {
        var all = Samples.Floats(200);
        foreach (int length in Samples.Lengths)
        {
            for (int shift = 0; shift < 4; shift++)
            {
                var source = Samples.Unaligned<float>(all.AsSpan(0, length), shift);
                var rounded = new ushort[length + shift + 1];
                rounded[^1] = 0xABCD;
                bool finite = BFloat16.FromSingle(source, rounded.AsSpan(shift, length));
                Assert.Equal(rounded.AsSpan(shift, length).ToArray().All(code => (code & 0x7F80) != 0x7F80), finite);
                var wide = new float[length + shift + 1];
                wide[^1] = 42;
                BFloat16.ToSingle(rounded.AsSpan(shift, length), wide.AsSpan(shift, length));
                for (int i = 0; i < length; i++)
                {
                    Assert.Equal(Reference(all[i]), rounded[shift + i]);
                    Assert.Equal((uint)rounded[shift + i] << 16, BitConverter.SingleToUInt32Bits(wide[shift + i]));
                }
                Assert.Equal((0xABCD, 42f), (rounded[^1], wide[^1]));
            }
        }
    }

    [Fact]
    public void AnyFloatRoundsToTheNearestCode() => Gen.UInt.Array[0, 100].Sample(bits =>
    {
        var values = bits.Select(BitConverter.UInt32BitsToSingle).ToArray();
        var rounded = new ushort[values.Length];
        Assert.Equal(values.All(value => (Reference(value) & 0x7F80) != 0x7F80), BFloat16.FromSingle(values, rounded));
        Assert.Equal(values.Select(Reference), rounded);
        Assert.Equal(values.Select(value => ((BFloat16)value).Bits), rounded);
    });

    [Fact]
    public void LengthsMustAgree()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => BFloat16.FromSingle(new float[3], new ushort[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BFloat16.ToSingle(new ushort[4], new float[3]));
    }
}
