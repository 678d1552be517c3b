using Recall.Numerics;

namespace Recall.Tests.Numerics;

[Trait("kernel", "true")]
public class Float8Tests
{
    [Fact]
    public void AllCodesComeBackAsThemselves()
    {
        for (int code = 0; code < 256; code++)
        {
            float e4m3 = Float8.E4M3[code], e5m2 = Float8.E5M2[code];
            Assert.Equal(float.IsNaN(e4m3) ? code & 0x80 | 0x7F : code, Float8.ToE4M3(e4m3));
            Assert.Equal(float.IsNaN(e5m2) ? code & 0x80 | 0x7F : code, Float8.ToE5M2(e5m2));
        }
    }

    [Fact]
    public void EveryFloatRoundsToTheNearestCodeOfTwoTheEvenOne()
    {
        foreach (float value in Samples.Floats(20_000))
        {
            Assert.Equal(Nearest(Float8.E4M3, value, finite: 0x7E, overflow: 0x7E, limit: float.PositiveInfinity, nan: 0x7F), Float8.ToE4M3(value));
            Assert.Equal(Nearest(Float8.E5M2, value, finite: 0x7B, overflow: 0x7C, limit: 61440f, nan: 0x7F), Float8.ToE5M2(value));
        }
    }

    /// <summary>By trying all codes.</summary>
    static int Nearest(float[] table, float value, int finite, int overflow, float limit, int nan)
    {
        int sign = BitConverter.SingleToInt32Bits(value) < 0 ? 0x80 : 0, best = 0;
        if (float.IsNaN(value)) return sign | nan;
        double magnitude = Math.Abs((double)value);
        if (double.IsInfinity(magnitude) || magnitude >= limit) return sign | overflow;
        for (int code = 1; code <= finite; code++)
        {
            double distance = Math.Abs(table[code] - magnitude), least = Math.Abs(table[best] - magnitude);
            if (distance < least || (distance == least && (code & 1) == 0)) best = code;
        }
        return sign | best;
    }
}
