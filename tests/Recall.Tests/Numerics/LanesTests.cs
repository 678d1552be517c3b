using System.Runtime.InteropServices;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>Kernels that read bfloat16 give what they give on the same numbers as float32: the same bits at every length, start and vector width.</summary>
[Trait("kernel", "true")]
public class LanesTests
{
    const int Count = 400;
    static readonly float[] Numbers = Samples.Floats(Count);
    static readonly ushort[] Codes = Samples.Rounded(Numbers);
    static readonly float[] Exact = Samples.Widened(Codes);

    delegate void Kernel<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> b, Span<float> y);

    static void Check(Kernel<float> wide, Kernel<BFloat16> stored)
    {
        foreach (int length in Samples.Lengths)
        {
            for (int shift = 0; shift < 4; shift++)
            {
                var (x, z, b) = (shift, shift + 101, 3 * shift + 202);
                float[] expected = Numbers[50..(50 + length)], got = [.. expected];
                wide(Exact.AsSpan(x, length), Exact.AsSpan(z, length), Exact.AsSpan(b, length), expected);
                var codes = MemoryMarshal.Cast<ushort, BFloat16>(Codes);
                stored(codes.Slice(x, length), codes.Slice(z, length), codes.Slice(b, length), got);
                Assert.Equal(Samples.Bits(expected), Samples.Bits(got));
            }
        }
    }

    [Fact]
    public void ElementByElement()
    {
        Check((x, _, _, y) => Lanes<float>.Widen(x, y), (x, _, _, y) => Lanes<BFloat16>.Widen(x, y));
        Check((x, _, _, y) => Elementwise.Scale(x, 0.3f, y), (x, _, _, y) => Elementwise.Scale(x, 0.3f, y));
        Check((x, _, _, y) => Elementwise.AddScaled(x, 0.3f, y), (x, _, _, y) => Elementwise.AddScaled(x, 0.3f, y));
        Check((x, z, _, y) => Elementwise.Mix(x, 0.3f, z, -1.7f, y), (x, z, _, y) => Elementwise.Mix(x, 0.3f, z, -1.7f, y));
        Check((x, z, _, y) => Elementwise.AddMix(x, 0.3f, z, -1.7f, y), (x, z, _, y) => Elementwise.AddMix(x, 0.3f, z, -1.7f, y));
        Check((x, _, b, y) => Elementwise.AddScaledDifference(x, b, 0.3f, y), (x, _, b, y) => Elementwise.AddScaledDifference(x, b, 0.3f, y));
        Check((x, z, b, y) => Elementwise.AddScaledDifferences(x, 0.3f, z, 2, b, y), (x, z, b, y) => Elementwise.AddScaledDifferences(x, 0.3f, z, 2, b, y));
        Check((x, _, b, y) => Elementwise.MixNear(b, x, 0.02f, y), (x, _, b, y) => Elementwise.MixNear(b, x, 0.02f, y));
    }

    [Fact]
    public void Sum()
    {
        float[] finite = [.. Exact.Select(value => float.IsFinite(value) ? value : 0.5f)];
        var codes = MemoryMarshal.Cast<ushort, BFloat16>(Samples.Rounded(finite));
        foreach (int length in Samples.Lengths)
            for (int shift = 0; shift < 200; shift += 13)
                Assert.Equal(Sums.Products<float>(finite.AsSpan(shift, length), finite.AsSpan(100, length)),
                    Sums.Products(codes.Slice(shift, length), codes.Slice(100, length)));
    }

    [Fact]
    public void WhatIsNotFiniteIsSeenWhereverItLies()
    {
        foreach (int length in Samples.Lengths)
        {
            var codes = new ushort[length];
            Array.Fill(codes, (ushort)0xFF7F);      // the lowest number
            var values = MemoryMarshal.Cast<ushort, BFloat16>(codes);
            Assert.True(BFloat16.AreFinite(values));
            for (int i = 0; i < length; i++)
            {
                foreach (ushort damage in (ushort[])[0x7F80, 0xFF80, 0x7FC0, 0xFFFF])
                {
                    codes[i] = damage;
                    Assert.False(BFloat16.AreFinite(values));
                }
                codes[i] = 0;
            }
        }
    }
}
