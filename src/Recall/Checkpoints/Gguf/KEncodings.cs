using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Checkpoints.Gguf;

/// <summary>
/// The K types: 256 elements a block, in 16 groups of 16 with a scale d and in some a minimum m each. Values are d·q or d·q − m.
/// </summary>
abstract class KEncoding(string name, int blockBytes, bool hasMinimum) : QuantizedEncoding(name, Elements, blockBytes)
{
    const int Elements = 256, GroupElements = 16, Groups = Elements / GroupElements, RowElements = 32;

    /// <summary>The scales and minima of the 16 groups.</summary>
    protected abstract void Scales(ReadOnlySpan<byte> block, Span<float> scales, Span<float> minima);

    /// <summary>The code of an element.</summary>
    protected abstract int Code(ReadOnlySpan<byte> block, int element);

    /// <summary>The codes of 32 elements, row · 32 and those that follow.</summary>
    protected abstract Vector256<sbyte> Codes(ref byte block, int row);

    /// <inheritdoc/>
    protected override void DecodeScalars(ReadOnlySpan<byte> source, Span<float> destination)
    {
        Span<float> scales = stackalloc float[Groups], minima = stackalloc float[Groups];
        for (int b = 0; b * BlockBytes < source.Length; b++)
        {
            var block = source.Slice(b * BlockBytes, BlockBytes);
            Scales(block, scales, minima);
            for (int i = 0; i < Elements; i++)
            {
                float product = scales[i / GroupElements] * Code(block, i);
                destination[b * Elements + i] = hasMinimum ? product - minima[i / GroupElements] : product;
            }
        }
    }

    /// <inheritdoc/>
    protected override void DecodeVectors(ReadOnlySpan<byte> source, Span<float> destination)
    {
        Span<float> scales = stackalloc float[Groups], minima = stackalloc float[Groups];
        for (int b = 0; b * BlockBytes < source.Length; b++)
        {
            var block = source.Slice(b * BlockBytes, BlockBytes);
            Scales(block, scales, minima);
            ref float to = ref MemoryMarshal.GetReference(destination[(b * Elements)..]);
            for (int row = 0; row < Elements / RowElements; row++)
            {
                var (low, high) = Vector256.Widen(Codes(ref MemoryMarshal.GetReference(block), row));
                Store(low, scales[2 * row], minima[2 * row], ref to);
                Store(high, scales[2 * row + 1], minima[2 * row + 1], ref Unsafe.Add(ref to, GroupElements));
                to = ref Unsafe.Add(ref to, RowElements);
            }
        }
    }

    void Store(Vector256<short> codes, float scale, float minimum, ref float to)
    {
        var (low, high) = Vector256.Widen(codes);
        var d = Vector256.Create(scale);
        Vector256<float> first = d * Vector256.ConvertToSingle(low), second = d * Vector256.ConvertToSingle(high);
        if (hasMinimum)
        {
            var m = Vector256.Create(minimum);
            (first, second) = (first - m, second - m);
        }
        first.StoreUnsafe(ref to);
        second.StoreUnsafe(ref to, 8);
    }

    /// <summary>32 bytes, each shifted to the right and masked.</summary>
    protected static Vector256<byte> Bits(ref byte block, int at, int shift, byte mask)
        => (Vector256.LoadUnsafe(ref Unsafe.Add(ref block, at)) >> shift) & Vector256.Create(mask);

    /// <summary>The 6-bit scales and minima of Q4_K and Q5_K, packed in 12 bytes for 8 groups of 32.</summary>
    protected static void UnpackScales(ReadOnlySpan<byte> packed, float d, float dmin, Span<float> scales, Span<float> minima)
    {
        for (int j = 0; j < 8; j++)
        {
            int scale = j < 4 ? packed[j] & 63 : (packed[j + 4] & 0xF) | (packed[j - 4] >> 6 << 4);
            int minimum = j < 4 ? packed[j + 4] & 63 : (packed[j + 4] >> 4) | (packed[j] >> 6 << 4);
            scales[2 * j] = scales[2 * j + 1] = d * scale;
            minima[2 * j] = minima[2 * j + 1] = dmin * minimum;
        }
    }
}

/// <summary>2 bits a code, 4-bit scales and minima.</summary>
sealed class Q2_K() : KEncoding("Q2_K", 84, true)
{
    protected override void Scales(ReadOnlySpan<byte> block, Span<float> scales, Span<float> minima)
    {
        float d = Half(block, 80), dmin = Half(block, 82);
        for (int group = 0; group < 16; group++)
        {
            scales[group] = d * (block[group] & 0xF);
            minima[group] = dmin * (block[group] >> 4);
        }
    }

    protected override int Code(ReadOnlySpan<byte> block, int i) => block[16 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;

    protected override Vector256<sbyte> Codes(ref byte block, int row) => Bits(ref block, 16 + row / 4 * 32, row % 4 * 2, 3).AsSByte();
}

/// <summary>3 bits a code (the third in a mask of its own, inverted), signed 6-bit scales.</summary>
sealed class Q3_K() : KEncoding("Q3_K", 110, false)
{
    protected override void Scales(ReadOnlySpan<byte> block, Span<float> scales, Span<float> minima)
    {
        float d = Half(block, 108);
        var packed = block.Slice(96, 12);
        for (int group = 0; group < 16; group++)
        {
            int low = group < 8 ? packed[group] & 0xF : packed[group - 8] >> 4;
            int high = packed[8 + group % 4] >> (group / 4 * 2) & 3;
            scales[group] = d * ((low | high << 4) - 32);
        }
    }

    protected override int Code(ReadOnlySpan<byte> block, int i)
        => (block[32 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3) - ((block[i % 32] >> (i / 32) & 1) != 0 ? 0 : 4);

    protected override Vector256<sbyte> Codes(ref byte block, int row)
        => (Bits(ref block, 32 + row / 4 * 32, row % 4 * 2, 3) | Bits(ref block, 0, row, 1) << 2).AsSByte() - Vector256.Create((sbyte)4);
}

/// <summary>4 bits a code, 6-bit scales and minima.</summary>
sealed class Q4_K() : KEncoding("Q4_K", 144, true)
{
    protected override void Scales(ReadOnlySpan<byte> block, Span<float> scales, Span<float> minima)
        => UnpackScales(block.Slice(4, 12), Half(block, 0), Half(block, 2), scales, minima);

    protected override int Code(ReadOnlySpan<byte> block, int i) => block[16 + i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 0xF;

    protected override Vector256<sbyte> Codes(ref byte block, int row) => Bits(ref block, 16 + row / 2 * 32, row % 2 * 4, 0xF).AsSByte();
}

/// <summary>5 bits a code, 6-bit scales and minima.</summary>
sealed class Q5_K() : KEncoding("Q5_K", 176, true)
{
    protected override void Scales(ReadOnlySpan<byte> block, Span<float> scales, Span<float> minima)
        => UnpackScales(block.Slice(4, 12), Half(block, 0), Half(block, 2), scales, minima);

    protected override int Code(ReadOnlySpan<byte> block, int i)
        => (block[48 + i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 0xF) | (block[16 + i % 32] >> (i / 32) & 1) << 4;

    protected override Vector256<sbyte> Codes(ref byte block, int row)
        => (Bits(ref block, 48 + row / 2 * 32, row % 2 * 4, 0xF) | Bits(ref block, 16, row, 1) << 4).AsSByte();
}

/// <summary>6 bits a code, signed 8-bit scales.</summary>
sealed class Q6_K() : KEncoding("Q6_K", 210, false)
{
    protected override void Scales(ReadOnlySpan<byte> block, Span<float> scales, Span<float> minima)
    {
        float d = Half(block, 208);
        for (int group = 0; group < 16; group++) scales[group] = d * (sbyte)block[192 + group];
    }

    protected override int Code(ReadOnlySpan<byte> block, int i)
    {
        int low = block[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 0xF, high = block[128 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
        return (low | high << 4) - 32;
    }

    protected override Vector256<sbyte> Codes(ref byte block, int row)
    {
        var low = Bits(ref block, row / 4 * 64 + row % 2 * 32, row % 4 / 2 * 4, 0xF);
        var high = Bits(ref block, 128 + row / 4 * 32, row % 4 * 2, 3);
        return (low | high << 4).AsSByte() - Vector256.Create((sbyte)32);
    }
}
