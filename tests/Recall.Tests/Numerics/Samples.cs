using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>Numbers on which kernels go wrong, and buffers that begin where no vector would like them to.</summary>
static class Samples
{
    /// <summary>Lengths from 0 to beyond three vectors of the widest kind (512 bits of 16-bit elements), where every tail is met.</summary>
    public static IEnumerable<int> Lengths => Enumerable.Range(0, 3 * 32 + 2);

    /// <summary>Edges of float32 and of every narrower type: zeros, infinities, NaN of several payloads, subnormals, ties, overflow.</summary>
    public static readonly float[] Edges =
    [
        0f, -0f, 1f, -1f, float.Epsilon, -float.Epsilon, float.MaxValue, float.MinValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN,
        FromBits(0x7F80_0001), FromBits(0xFF80_0001), FromBits(0x7FFF_FFFF), FromBits(0xFFFF_FFFF), FromBits(0x7FC0_1234),
        FromBits(0x0080_0000), FromBits(0x007F_FFFF), FromBits(0x0000_8000), FromBits(0x0001_8000), FromBits(0x0000_7FFF),    // around bf16's subnormals
        FromBits(0x3F80_8000), FromBits(0x3F81_8000), FromBits(0x3F80_7FFF), FromBits(0x3F80_8001), FromBits(0x7F7F_7FFF), FromBits(0x7F7F_8000),
        65504f, 65519.996f, 65520f, -65520f, 6.1035156e-5f, 6.0975552e-5f, 5.9604645e-8f, 2.9802322e-8f, 2.9802326e-8f, 8.940697e-8f,  // around f16's edges
        448f, 464f, 464.00003f, 480f, 0.015625f, 0.013671875f, 0.001953125f, 0.0009765625f, 0.00097656256f,                         // around F8_E4M3's
        57344f, 61439.996f, 61440f, 1.5258789e-5f, 7.6293945e-6f, 7.629395e-6f,                                                    // around F8_E5M2's
        127.5f, 128f, -128.5f, 255.5f, 256f, 32767.5f, 65535.5f, 2147483648f, 4294967296f, 9.223372e18f, 1.8446744e19f, 0.5f, 1.5f, 2.5f, -0.5f,
    ];

    /// <summary>Edges first, then a fixed pseudo-random mix of all bit patterns and of numbers as weights have them.</summary>
    public static float[] Floats(int count)
    {
        var values = new float[count];
        uint state = 0x9E37_79B9;
        for (int i = 0; i < count; i++)
        {
            state = state * 1664525 + 1013904223;
            uint bits = state ^ (state >> 15);
            values[i] = i < Edges.Length ? Edges[i] : (i & 1) == 0 ? FromBits(bits) : (bits / (float)uint.MaxValue - 0.5f) * 0.1f;
        }
        return values;
    }

    /// <summary>The numbers as bfloat16.</summary>
    public static ushort[] Rounded(float[] values)
    {
        var codes = new ushort[values.Length];
        BFloat16.FromSingle(values, codes);
        return codes;
    }

    /// <summary>bfloat16 as float32.</summary>
    public static float[] Widened(ushort[] codes)
    {
        var values = new float[codes.Length];
        BFloat16.ToSingle(codes, values);
        return values;
    }

    /// <summary>Bits, where every NaN counts as one: which of them comes out is not promised.</summary>
    public static uint[] Bits(ReadOnlySpan<float> values)
    {
        var bits = new uint[values.Length];
        for (int i = 0; i < bits.Length; i++) bits[i] = float.IsNaN(values[i]) ? 0x7FC0_0000 : BitConverter.SingleToUInt32Bits(values[i]);
        return bits;
    }

    /// <summary>A copy of the elements whose address is no multiple of anything but the element's own size.</summary>
    public static Span<T> Unaligned<T>(ReadOnlySpan<T> values, int shift) where T : unmanaged
    {
        var buffer = new T[values.Length + shift].AsSpan(shift);
        values.CopyTo(buffer);
        return buffer;
    }

    static float FromBits(uint bits) => BitConverter.UInt32BitsToSingle(bits);
}
