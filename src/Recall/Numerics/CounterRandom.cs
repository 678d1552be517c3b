using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using System.Text;

namespace Recall.Numerics;

/// <summary>
/// Random numbers by position: number i depends on the key and on i alone, so that they are the same on any number of threads, in any order and
/// after any interruption. Key: SHA-256 of seed, tensor name and model. Number: a 32-bit mixer of three rounds (xor-shift, odd multiplier, as in
/// C. Wellons' triple32) with a word of the key in every round; blocks of 2^32 numbers have keys of their own.
/// </summary>
readonly struct CounterRandom
{
    const uint First = 0xED5A_D4BB, Second = 0xAC4C_1B51, Third = 0x3184_8BAB;

    readonly uint _key0, _key1, _key2, _key3;

    /// <summary>The numbers of one tensor and model under a seed.</summary>
    public CounterRandom(long seed, string tensor, int model)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{seed} {model} {tensor}")), hash);
        _key0 = BinaryPrimitives.ReadUInt32LittleEndian(hash);
        _key1 = BinaryPrimitives.ReadUInt32LittleEndian(hash[4..]);
        _key2 = BinaryPrimitives.ReadUInt32LittleEndian(hash[8..]);
        _key3 = BinaryPrimitives.ReadUInt32LittleEndian(hash[12..]);
    }

    /// <summary>Number i: uniform over all 32-bit values.</summary>
    public uint this[long index]
    {
        get
        {
            var (key0, key1, key2) = Block(index >> 32);
            uint x = (uint)index ^ key0;
            x = (x ^ (x >> 17)) * First;
            x = ((x ^ (x >> 11)) + key1) * Second;
            x = ((x ^ (x >> 15)) ^ key2) * Third;
            return x ^ (x >> 14);
        }
    }

    /// <summary>Keeps each value with a probability and sets the others to 0.</summary>
    /// <param name="start">Index of the first value.</param>
    /// <param name="probability">From 0 to 1, in steps of 2^−32.</param>
    /// <param name="values">The values.</param>
    public void Keep(long start, double probability, Span<float> values)
    {
        if (probability >= 1) return;
        uint limit = (uint)Math.Min(Math.Round(probability * 4294967296.0), uint.MaxValue);
        ref uint bits = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(values));
        int i = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            var edge = Vector512.Create(limit);
            for (; i + 16 <= values.Length && InOneBlock(start + i); i += 16)
                (Vector512.LoadUnsafe(ref bits, (nuint)i) & Vector512.LessThan(Sixteen(start + i), edge)).StoreUnsafe(ref bits, (nuint)i);
        }
        for (; i < values.Length; i++)
            if (this[start + i] >= limit) values[i] = 0;
    }

    /// <summary>
    /// Keeps each value whose number is below <paramref name="surely"/>, sets to 0 those whose number is at least <paramref name="never"/>, and lists the
    /// others. Returns how many these are.
    /// </summary>
    /// <param name="start">Index of the first value.</param>
    /// <param name="surely">The first limit.</param>
    /// <param name="never">The second limit, at least the first.</param>
    /// <param name="values">The values.</param>
    /// <param name="places">Gets the places among the values of those that are undecided; has room for all.</param>
    /// <param name="numbers">Gets their numbers, from <paramref name="surely"/> on; has room for all.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Keep(long start, uint surely, uint never, Span<float> values, Span<int> places, Span<uint> numbers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(places.Length, values.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(numbers.Length, values.Length);
        ref uint bits = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(values));
        int i = 0, count = 0;
        if (Avx512F.IsSupported)
        {
            var (least, span) = (Vector512.Create(surely), Vector512.Create(never - surely));
            for (; i + 16 <= values.Length && InOneBlock(start + i); i += 16)
            {
                var number = Sixteen(start + i);
                var (above, below) = (number - least, Vector512.LessThan(number, Vector512.Create(never)));
                var undecided = Vector512.LessThan(above, span);    // wraps, and is large, for numbers below the first limit
                (Vector512.LoadUnsafe(ref bits, (nuint)i) & below).StoreUnsafe(ref bits, (nuint)i);
                Avx512F.Compress(Vector512<uint>.Zero, undecided, above).StoreUnsafe(ref numbers[0], (nuint)count);
                Avx512F.Compress(Vector512<int>.Zero, undecided.AsInt32(), Vector512.Create(i) + Vector512<int>.Indices).StoreUnsafe(ref places[0], (nuint)count);
                count += System.Numerics.BitOperations.PopCount(undecided.ExtractMostSignificantBits());
            }
        }
        for (; i < values.Length; i++)
        {
            uint number = this[start + i];
            if (number >= never) values[i] = 0;
            else if (number >= surely) (places[count], numbers[count++]) = (i, number - surely);
        }
        return count;
    }

    /// <summary>Adds normal numbers of mean 0: number i of the pair i, i ^ 1 by G. Box and M. Muller's formula (Ann. Math. Stat. 29, 1958).</summary>
    /// <param name="start">Index of the first value.</param>
    /// <param name="deviation">Their standard deviation.</param>
    /// <param name="values">The values that they are added to.</param>
    public void AddNormal(long start, double deviation, Span<float> values)
    {
        const double Range = 4294967296.0;
        for (int i = 0; i < values.Length;)
        {
            long index = start + i, pair = index & ~1L;
            double radius = deviation * Math.Sqrt(-2 * Math.Log((this[pair] + 1.0) / Range));
            var (sine, cosine) = Math.SinCos(Math.Tau * this[pair + 1] / Range);
            if (index == pair) values[i++] += (float)(radius * cosine);
            if (i < values.Length) values[i++] += (float)(radius * sine);
        }
    }

    static bool InOneBlock(long index) => (uint)index <= uint.MaxValue - 15;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    Vector512<uint> Sixteen(long index)
    {
        var (key0, key1, key2) = Block(index >> 32);
        var x = (Vector512.Create((uint)index) + Vector512<uint>.Indices) ^ Vector512.Create(key0);
        x = (x ^ Vector512.ShiftRightLogical(x, 17)) * Vector512.Create(First);
        x = ((x ^ Vector512.ShiftRightLogical(x, 11)) + Vector512.Create(key1)) * Vector512.Create(Second);
        x = ((x ^ Vector512.ShiftRightLogical(x, 15)) ^ Vector512.Create(key2)) * Vector512.Create(Third);
        return x ^ Vector512.ShiftRightLogical(x, 14);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    (uint, uint, uint) Block(long block)
    {
        if (block == 0) return (_key0, _key1, _key2);
        ulong x = ((ulong)block << 32 | _key3) + 0x9E37_79B9_7F4A_7C15;     // SplitMix64
        x = (x ^ (x >> 30)) * 0xBF58_476D_1CE4_E5B9;
        x = (x ^ (x >> 27)) * 0x94D0_49BB_1331_11EB;
        x ^= x >> 31;
        return (_key0 ^ (uint)x, _key1 ^ (uint)(x >> 32), _key2 + (uint)x);
    }
}
