namespace Recall.Numerics;

/// <summary>
/// The two 8-bit floats of PyTorch, as tables (256 codes) one way and by rounding to nearest even the other way.
/// Overflow gives the largest value, 448, in E4M3 (which has no infinities) and an infinity in E5M2, as the casts of torch 2.13 do.
/// </summary>
static class Float8
{
    /// <summary>Value of each E4M3 code: bias 7, codes 0x7F and 0xFF are NaN.</summary>
    public static readonly float[] E4M3 = Table(exponentBits: 4, mantissaBits: 3, bias: 7, code => (code & 0x7F) == 0x7F ? float.NaN : null);

    /// <summary>Value of each E5M2 code: bias 15, infinities and NaN as in IEEE.</summary>
    public static readonly float[] E5M2 = Table(exponentBits: 5, mantissaBits: 2, bias: 15, code => (code & 0x7F) switch
    {
        < 0x7C => null,
        0x7C => (code & 0x80) == 0 ? float.PositiveInfinity : float.NegativeInfinity,
        _ => float.NaN,
    });

    /// <summary>The E4M3 code nearest to the value.</summary>
    public static byte ToE4M3(float value) => Round(value, mantissaBits: 3, bias: 7, largest: 448f, beyond: 0x7E, nan: 0x7F);

    /// <summary>The E5M2 code nearest to the value.</summary>
    public static byte ToE5M2(float value) => Round(value, mantissaBits: 2, bias: 15, largest: 57344f, beyond: 0x7C, nan: 0x7F);

    static float[] Table(int exponentBits, int mantissaBits, int bias, Func<int, float?> special)
    {
        var table = new float[256];
        for (int code = 0; code < 256; code++)
        {
            int mantissa = code & ((1 << mantissaBits) - 1), exponent = (code >> mantissaBits) & ((1 << exponentBits) - 1);
            float magnitude = exponent == 0
                ? MathF.ScaleB(mantissa, 1 - bias - mantissaBits)
                : MathF.ScaleB(mantissa | (1 << mantissaBits), exponent - bias - mantissaBits);
            table[code] = special(code) ?? ((code & 0x80) == 0 ? magnitude : -magnitude);
            // float.NaN has its sign bit set; here the code's own sign stays, so that a NaN comes back as the code that it was.
            if (float.IsNaN(table[code])) table[code] = BitConverter.UInt32BitsToSingle(0x7FC0_0000u | ((uint)(code & 0x80) << 24));
        }
        return table;
    }

    static byte Round(float value, int mantissaBits, int bias, float largest, byte beyond, byte nan)
    {
        int sign = BitConverter.SingleToInt32Bits(value) < 0 ? 0x80 : 0;
        if (float.IsNaN(value)) return (byte)(sign | nan);
        float magnitude = MathF.Abs(value);
        if (float.IsInfinity(magnitude)) return (byte)(sign | beyond);

        // The spacing of codes around the value is a power of two, so the quotient is exact and Math.Round settles ties to even.
        int exponent = Math.Max(magnitude == 0 ? 1 - bias : MathF.ILogB(magnitude), 1 - bias);
        float rounded = MathF.ScaleB(MathF.Round(MathF.ScaleB(magnitude, mantissaBits - exponent), MidpointRounding.ToEven), exponent - mantissaBits);
        if (rounded > largest) return (byte)(sign | beyond);
        if (rounded == 0) return (byte)sign;
        exponent = Math.Max(MathF.ILogB(rounded), 1 - bias);
        int steps = (int)MathF.ScaleB(rounded, mantissaBits - exponent);    // with the leading bit, when normal
        return (byte)(sign | (((exponent + bias - 1) << mantissaBits) + steps));
    }
}
