using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Checkpoints.Gguf;

/// <summary>
/// The K types: 256 elements a block in 16 groups of 16, each with a scale d and in some a minimum m. Values are d·q or d·q − m.
/// </summary>
abstract class KEncoding(string name, int blockBytes, bool hasMinimum) : QuantizedEncoding(name, Elements, blockBytes)
{
    const int Elements = 256, GroupElements = 16, Groups = Elements / GroupElements;

    /// <summary>Unpacks a block: 256 codes; scales and minima of the 16 groups.</summary>
    protected abstract void Unpack(ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima);

    /// <inheritdoc/>
    protected override void DecodeScalars(ReadOnlySpan<byte> source, Span<float> destination)
    {
        Span<sbyte> codes = stackalloc sbyte[Elements];
        Span<float> scales = stackalloc float[Groups], minima = stackalloc float[Groups];
        for (int b = 0; b * BlockBytes < source.Length; b++)
        {
            Unpack(source.Slice(b * BlockBytes, BlockBytes), codes, scales, minima);
            for (int i = 0; i < Elements; i++)
            {
                float product = scales[i / GroupElements] * codes[i];
                destination[b * Elements + i] = hasMinimum ? product - minima[i / GroupElements] : product;
            }
        }
    }

    /// <inheritdoc/>
    protected override void DecodeVectors(ReadOnlySpan<byte> source, Span<float> destination)
    {
        Span<sbyte> codes = stackalloc sbyte[Elements];
        Span<float> scales = stackalloc float[Groups], minima = stackalloc float[Groups];
        ref sbyte from = ref MemoryMarshal.GetReference(codes);
        ref float to = ref MemoryMarshal.GetReference(destination);
        nuint at = 0;
        for (int b = 0; b * BlockBytes < source.Length; b++)
        {
            Unpack(source.Slice(b * BlockBytes, BlockBytes), codes, scales, minima);
            for (int group = 0; group < Groups; group++, at += GroupElements)
            {
                var (low, high) = Vector256.Widen(Vector256.WidenLower(Vector128.LoadUnsafe(ref from, (nuint)(group * GroupElements)).ToVector256Unsafe()));
                var d = Vector256.Create(scales[group]);
                Vector256<float> first = d * Vector256.ConvertToSingle(low), second = d * Vector256.ConvertToSingle(high);
                if (hasMinimum)
                {
                    var m = Vector256.Create(minima[group]);
                    (first, second) = (first - m, second - m);
                }
                first.StoreUnsafe(ref to, at);
                second.StoreUnsafe(ref to, at + 8);
            }
        }
    }

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
    protected override void Unpack(ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima)
    {
        float d = Half(block, 80), dmin = Half(block, 82);
        for (int group = 0; group < 16; group++)
        {
            scales[group] = d * (block[group] & 0xF);
            minima[group] = dmin * (block[group] >> 4);
        }
        for (int i = 0; i < 256; i++) codes[i] = (sbyte)(block[16 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3);
    }
}

/// <summary>3 bits a code (the third in a mask of its own, inverted), signed 6-bit scales.</summary>
sealed class Q3_K() : KEncoding("Q3_K", 110, false)
{
    protected override void Unpack(ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima)
    {
        float d = Half(block, 108);
        var packed = block.Slice(96, 12);
        for (int group = 0; group < 16; group++)
        {
            int low = group < 8 ? packed[group] & 0xF : packed[group - 8] >> 4;
            int high = packed[8 + group % 4] >> (group / 4 * 2) & 3;
            scales[group] = d * ((low | high << 4) - 32);
        }
        for (int i = 0; i < 256; i++)
        {
            int low = block[32 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
            codes[i] = (sbyte)(low - ((block[i % 32] >> (i / 32) & 1) != 0 ? 0 : 4));
        }
    }
}

/// <summary>4 bits a code, 6-bit scales and minima.</summary>
sealed class Q4_K() : KEncoding("Q4_K", 144, true)
{
    protected override void Unpack(ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima)
    {
        UnpackScales(block.Slice(4, 12), Half(block, 0), Half(block, 2), scales, minima);
        for (int i = 0; i < 256; i++) codes[i] = (sbyte)(block[16 + i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 0xF);
    }
}

/// <summary>5 bits a code, 6-bit scales and minima.</summary>
sealed class Q5_K() : KEncoding("Q5_K", 176, true)
{
    protected override void Unpack(ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima)
    {
        UnpackScales(block.Slice(4, 12), Half(block, 0), Half(block, 2), scales, minima);
        for (int i = 0; i < 256; i++)
        {
            int low = block[48 + i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 0xF;
            codes[i] = (sbyte)(low | (block[16 + i % 32] >> (i / 32) & 1) << 4);
        }
    }
}

/// <summary>6 bits a code, signed 8-bit scales.</summary>
sealed class Q6_K() : KEncoding("Q6_K", 210, false)
{
    protected override void Unpack(ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima)
    {
        float d = Half(block, 208);
        for (int group = 0; group < 16; group++) scales[group] = d * (sbyte)block[192 + group];
        for (int i = 0; i < 256; i++)
        {
            int low = block[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 0xF;
            int high = block[128 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
            codes[i] = (sbyte)((low | high << 4) - 32);
        }
    }
}
