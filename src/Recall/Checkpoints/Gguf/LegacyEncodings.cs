using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Checkpoints.Gguf;

/// <summary>The types of 32 elements a block: a scale d, in some a minimum m, and 4, 5 or 8 bits a code q. Values are d·q or d·q + m.</summary>
abstract class LegacyEncoding(string name, int blockBytes, bool hasMinimum) : QuantizedEncoding(name, Elements, blockBytes)
{
    const int Elements = 32;

    /// <summary>The 32 codes of a block, signed.</summary>
    protected abstract Vector256<sbyte> Codes(ref byte block);

    /// <summary>One code of a block.</summary>
    protected abstract int Code(ReadOnlySpan<byte> block, int element);

    /// <inheritdoc/>
    protected override void DecodeScalars(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (int b = 0; b * BlockBytes < source.Length; b++)
        {
            var block = source.Slice(b * BlockBytes, BlockBytes);
            float d = Half(block, 0), m = hasMinimum ? Half(block, 2) : 0;
            for (int i = 0; i < Elements; i++)
            {
                float product = d * Code(block, i);
                destination[b * Elements + i] = hasMinimum ? product + m : product;
            }
        }
    }

    /// <inheritdoc/>
    protected override void DecodeVectors(ReadOnlySpan<byte> source, Span<float> destination)
    {
        ref byte from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(destination);
        int blocks = source.Length / BlockBytes;
        for (int b = 0; b < blocks; b++)
        {
            var (low, high) = Vector256.Widen(Codes(ref from));
            var (q0, q1) = Vector256.Widen(low);
            var (q2, q3) = Vector256.Widen(high);
            var d = Vector256.Create((float)Unsafe.ReadUnaligned<Half>(ref from));
            Vector256<float> v0 = d * Vector256.ConvertToSingle(q0), v1 = d * Vector256.ConvertToSingle(q1);
            Vector256<float> v2 = d * Vector256.ConvertToSingle(q2), v3 = d * Vector256.ConvertToSingle(q3);
            if (hasMinimum)
            {
                var m = Vector256.Create((float)Unsafe.ReadUnaligned<Half>(ref Unsafe.Add(ref from, 2)));
                (v0, v1, v2, v3) = (v0 + m, v1 + m, v2 + m, v3 + m);
            }
            v0.StoreUnsafe(ref to, 0);
            v1.StoreUnsafe(ref to, 8);
            v2.StoreUnsafe(ref to, 16);
            v3.StoreUnsafe(ref to, 24);
            from = ref Unsafe.Add(ref from, BlockBytes);
            to = ref Unsafe.Add(ref to, Elements);
        }
    }

    /// <summary>Sixteen bytes of two codes each: the lower halves are elements 0 … 15, the upper halves 16 … 31.</summary>
    protected static Vector256<byte> Nibbles(ref byte bytes)
    {
        var pairs = Vector128.LoadUnsafe(ref bytes);
        return Vector256.Create(pairs & Vector128.Create((byte)0xF), pairs >> 4);
    }

    /// <summary>32 bits, each moved to bit 4 of its own byte.</summary>
    protected static Vector256<byte> FifthBits(ref byte bits)
    {
        // Both halves of the broadcast hold all four bytes, so the shuffle stays within each half, where it is one instruction.
        var all = Vector256.Create(Unsafe.ReadUnaligned<uint>(ref bits)).AsByte();
        var spread = Vector256.Shuffle(all, Vector256.Create(
            0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, (byte)19));
        var bit = Vector256.Create(0x8040_2010_0804_0201ul).AsByte();
        return Vector256.Equals(spread & bit, bit) & Vector256.Create((byte)0x10);
    }

    protected static int Nibble(ReadOnlySpan<byte> bytes, int element) => element < 16 ? bytes[element] & 0xF : bytes[element - 16] >> 4;

    protected static int FifthBit(ReadOnlySpan<byte> bits, int element)
        => (int)(BinaryPrimitives.ReadUInt32LittleEndian(bits) >> element & 1) << 4;
}

/// <summary>d·(q − 8), 4 bits a code.</summary>
sealed class Q4_0() : LegacyEncoding("Q4_0", 18, false)
{
    protected override Vector256<sbyte> Codes(ref byte block)
        => Nibbles(ref Unsafe.Add(ref block, 2)).AsSByte() - Vector256.Create((sbyte)8);

    protected override int Code(ReadOnlySpan<byte> block, int element) => Nibble(block[2..], element) - 8;
}

/// <summary>d·q + m, 4 bits a code.</summary>
sealed class Q4_1() : LegacyEncoding("Q4_1", 20, true)
{
    protected override Vector256<sbyte> Codes(ref byte block) => Nibbles(ref Unsafe.Add(ref block, 4)).AsSByte();

    protected override int Code(ReadOnlySpan<byte> block, int element) => Nibble(block[4..], element);
}

/// <summary>d·(q − 16), 5 bits a code.</summary>
sealed class Q5_0() : LegacyEncoding("Q5_0", 22, false)
{
    protected override Vector256<sbyte> Codes(ref byte block)
        => (Nibbles(ref Unsafe.Add(ref block, 6)) | FifthBits(ref Unsafe.Add(ref block, 2))).AsSByte() - Vector256.Create((sbyte)16);

    protected override int Code(ReadOnlySpan<byte> block, int element)
        => (Nibble(block[6..], element) | FifthBit(block[2..], element)) - 16;
}

/// <summary>d·q + m, 5 bits a code.</summary>
sealed class Q5_1() : LegacyEncoding("Q5_1", 24, true)
{
    protected override Vector256<sbyte> Codes(ref byte block)
        => (Nibbles(ref Unsafe.Add(ref block, 8)) | FifthBits(ref Unsafe.Add(ref block, 4))).AsSByte();

    protected override int Code(ReadOnlySpan<byte> block, int element) => Nibble(block[8..], element) | FifthBit(block[4..], element);
}

/// <summary>d·q, 8 bits a code.</summary>
sealed class Q8_0() : LegacyEncoding("Q8_0", 34, false)
{
    protected override Vector256<sbyte> Codes(ref byte block) => Vector256.LoadUnsafe(ref Unsafe.Add(ref block, 2)).AsSByte();

    protected override int Code(ReadOnlySpan<byte> block, int element) => (sbyte)block[2 + element];
}
