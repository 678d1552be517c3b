using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Recall.Numerics;

/// <summary>
/// SplitMix64 (G. Steele, D. Lea and C. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014, with D. Stafford's mix 13), which is
/// random access by nature: word i is the mix of seed + (i + 1) γ, the (i + 1)-th number that the generator gives. Its lanes do not see one
/// another, so that many words cost few instructions. γ must be odd; one with few changes from bit to bit is replaced, as the paper asks.
/// </summary>
readonly struct SplitMix
{
    /// <summary>The step of the paper's own generator: 2^64 divided by the golden ratio.</summary>
    public const ulong GoldenGamma = 0x9E37_79B9_7F4A_7C15;

    const ulong First = 0xBF58_476D_1CE4_E5B9, Second = 0x94D0_49BB_1331_11EB;
    const int FewestChanges = 24;

    readonly ulong _seed, _gamma;

    /// <summary>The words of a seed.</summary>
    /// <param name="seed">Any number.</param>
    /// <param name="gamma">The step; its lowest bit is set here.</param>
    public SplitMix(ulong seed, ulong gamma)
    {
        gamma |= 1;
        if (BitOperations.PopCount(gamma ^ (gamma >> 1)) < FewestChanges) gamma ^= 0xAAAA_AAAA_AAAA_AAAA;
        (_seed, _gamma) = (seed + gamma, gamma);
    }

    /// <summary>Word i: uniform over all 64-bit values.</summary>
    public ulong this[long index]
    {
        get
        {
            ulong x = _seed + (ulong)index * _gamma;
            x = (x ^ (x >> 30)) * First;
            x = (x ^ (x >> 27)) * Second;
            return x ^ (x >> 31);
        }
    }

    /// <summary>What <see cref="Eight(long, Vector512{ulong})"/> asks for, once before a loop.</summary>
    public Vector512<ulong> Steps
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Times(Vector512<ulong>.Indices, _gamma);
    }

    /// <summary>Words index … index + 7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<ulong> Eight(long index, Vector512<ulong> steps) => Mix(Vector512.Create(_seed + (ulong)index * _gamma) + steps);

    /// <summary>The words of eight places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<ulong> Eight(Vector512<ulong> indices) => Mix(Vector512.Create(_seed) + Times(indices, _gamma));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<ulong> Mix(Vector512<ulong> x)
    {
        x = Times(x ^ (x >> 30), First);
        x = Times(x ^ (x >> 27), Second);
        return x ^ (x >> 31);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<ulong> Times(Vector512<ulong> x, ulong factor) => Avx512DQ.IsSupported || !Avx2.IsSupported
        ? x * Vector512.Create(factor)
        : Vector512.Create(Times(x.GetLower(), factor), Times(x.GetUpper(), factor));

    // Of halves: AVX2 has no product of 64 bits, and the runtime would make one number at a time.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<ulong> Times(Vector256<ulong> x, ulong factor)
    {
        Vector256<uint> low = Vector256.Create(factor).AsUInt32(), high = Vector256.Create(factor >> 32).AsUInt32();
        var crossed = Avx2.Multiply((x >> 32).AsUInt32(), low) + Avx2.Multiply(x.AsUInt32(), high);
        return Avx2.Multiply(x.AsUInt32(), low) + (crossed << 32);
    }
}
