using System.Runtime.InteropServices;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>
/// Kernels on masked task vectors against plain loops, bit for bit, on float32 and on the bfloat16 of the same numbers: lengths to three runs of 64 and
/// more, any start, NaN, infinities, zeros of both signs, subnormals.
/// </summary>
[Trait("kernel", "true")]
public class MaskedTests
{
    const int Most = 3 * 64 + 2, Shifts = 3;

    static readonly ushort[] Codes = Samples.Rounded(Samples.Floats(2 * Most + 40));
    static readonly float[] Exact = Samples.Widened(Codes);

    delegate void Kernel<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, ReadOnlySpan<ulong> mask, Span<float> y);

    static void Check(Kernel<float> wide, Kernel<BFloat16> stored, Func<float, float, bool, float, float> formula)
    {
        for (int length = 0; length <= Most; length++)
        {
            for (int shift = 0; shift < Shifts; shift++)
            {
                var mask = Mask(length, shift);
                float[] x = Exact[shift..(shift + length)], b = Exact[(Most + 2 * shift)..(Most + 2 * shift + length)], y = Exact[20..(20 + length)];
                float[] wanted = [.. Enumerable.Range(0, length).Select(i => formula(x[i], b[i], Holds(mask, i), y[i]))], got = [.. y, 7], other = [.. y, 7];
                wide(Exact.AsSpan(shift, length), Exact.AsSpan(Most + 2 * shift, length), mask, got.AsSpan(0, length));
                var codes = MemoryMarshal.Cast<ushort, BFloat16>(Codes);
                stored(codes.Slice(shift, length), codes.Slice(Most + 2 * shift, length), mask, other.AsSpan(0, length));
                Assert.Equal(Samples.Bits([.. wanted, 7]), Samples.Bits(got));
                Assert.Equal(Samples.Bits(got), Samples.Bits(other));
            }
        }
    }

    static ulong[] Mask(int length, int seed)
    {
        var random = new Random(length * Shifts + seed);
        return [.. Enumerable.Range(0, (length + 63) / 64).Select(_ => (ulong)random.NextInt64() << 1 ^ (ulong)random.NextInt64())];
    }

    static bool Holds(ulong[] mask, int i) => (mask[i / 64] >> i % 64 & 1) != 0;

    [Fact]
    public void DifferencesThatAreKeptAreScaled() => Check(
        (x, b, mask, y) => Masked.ScaledDifference(x, b, mask, 0.3f, y), (x, b, mask, y) => Masked.ScaledDifference(x, b, mask, 0.3f, y),
        (x, b, kept, _) => kept ? (x - b) * 0.3f : 0);

    [Fact]
    public void DifferencesThatAreKeptAreAdded()
    {
        foreach (bool toBase in (bool[])[true, false])
        {
            Check(Add, Add, (x, b, kept, y) => kept ? (toBase ? b : y) + (x - b) * -1.7f : toBase ? b : y);

            void Add<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, ReadOnlySpan<ulong> mask, Span<float> y) where T : unmanaged =>
                Masked.AddScaled(b, new(x, -1.7f, 1, new(mask)), default, default, default, 1, toBase, y);
        }
    }

    [Fact]
    public void UpToFourAreAddedInOrder()
    {
        float[] scales = [-1.7f, 0.3f, 1, 0.7f];
        for (int count = 1; count <= KeptVectors.MostVoters; count++)
        {
            Check(Add, Add, (x, b, kept, y) => scales[..count].Where((_, m) => m % 2 == 0 ? kept : !kept).Aggregate(y, (sum, scale) => sum + (x - b) * scale));

            void Add<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> b, ReadOnlySpan<ulong> mask, Span<float> y) where T : unmanaged
            {
                ulong[] others = [.. mask.ToArray().Select(word => ~word)];
                Ballot<T, KeptBits<T>> Of(int m, ReadOnlySpan<T> x, ReadOnlySpan<ulong> mask) => new(x, scales[m], 1, new(m % 2 == 0 ? mask : others));
                Masked.AddScaled(b, Of(0, x, mask), Of(1, x, mask), Of(2, x, mask), Of(3, x, mask), count, toBase: false, y);
            }
        }
    }

    [Fact]
    public void AnElectionOfMaskedVectorsIsThatOfVectorsInMemory()
    {
        float[] finite = [.. Exact.Select(value => MathF.Abs(value) < 1e37f ? value : 0.5f)];
        ushort[] codes = Samples.Rounded(finite);
        float[] scales = [0.5f, -1, 0.75f, 0.3f], weights = [0.3f, 0.7f, -0.3f, 1];
        for (int length = 0; length <= Most; length++)
        {
            for (int count = 1; count <= KeptVectors.MostVoters; count++)
            {
                foreach (bool normalize in (bool[])[true, false])
                {
                    float[] b = Of(9), wanted = new float[length], got = new float[length], gotStored = new float[length];
                    ulong[][] masks = [.. Enumerable.Range(0, 4).Select(m => Mask(length, m))];
                    float[][] kept = [.. Enumerable.Range(0, count).Select(m => Kept(m).ToArray())];
                    TaskVectors.AddElected<float>(b, kept, [.. Enumerable.Range(0, count)], normalize ? weights[..count] : [], 0.7f, wanted);
                    KeptVectors.AddElected(b, Plain(0), Plain(1), Plain(2), Plain(3), count, normalize, 0.7f, got);
                    Assert.Equal(Samples.Bits(wanted), Samples.Bits(got));
                    KeptVectors.AddElected(Codes(9), Stored(0), Stored(1), Stored(2), Stored(3), count, normalize, 0.7f, gotStored);
                    Assert.Equal(Samples.Bits(wanted), Samples.Bits(gotStored));

                    float[] Of(int m) => finite[(17 * m)..(17 * m + length)];
                    ReadOnlySpan<BFloat16> Codes(int m) => MemoryMarshal.Cast<ushort, BFloat16>(codes).Slice(17 * m, length);
                    IEnumerable<float> Kept(int m) => Of(m).Select((x, i) => Holds(masks[m], i) ? (x - b[i]) * scales[m] : 0);
                    Ballot<float, KeptBits<float>> Plain(int m) => new(Of(m), scales[m], weights[m], new(masks[m]));
                    Ballot<BFloat16, KeptBits<BFloat16>> Stored(int m) => new(Codes(m), scales[m], weights[m], new(masks[m]));
                }
            }
        }
    }

    [Fact]
    public void MasksAndModelsThatAreTooShortAreRefused()
    {
        float[] b = new float[100];
        ulong[] mask = [0, 0];
        Refused(b, [0], 1);
        Refused(b, mask, 2);
        Refused(b[1..], mask, 1);
        Refused(b, mask, 5);
        Refused(b, mask, 0);

        void Refused(float[] x, ulong[] kept, int count) => Assert.Throws<ArgumentOutOfRangeException>(
            () => Masked.AddScaled<float>(b, new(x, 1, 1, new(kept)), default, default, default, count, true, new float[100]));
    }

    [Fact]
    public void DifferencesAreTheirFormula() => Check(
        (x, b, _, y) => TaskVectors.ScaledDifference(x, b, 1, y), (x, b, _, y) => TaskVectors.ScaledDifference(x, b, 1, y), (x, b, _, _) => x - b);

    [Fact]
    public void MagnitudesAreAddedInTheirOrder()
    {
        float[] finite = [.. Exact.Select(value => float.IsFinite(value) && MathF.Abs(value) < 1e37f ? value : 0.5f)];
        var codes = new ushort[finite.Length];
        BFloat16.FromSingle(finite, codes);
        for (int length = 0; length <= Most; length++)
        {
            for (int shift = 0; shift < Shifts; shift++)
            {
                var mask = Mask(length, shift);
                Span<float> x = finite.AsSpan(shift, length), b = finite.AsSpan(Most + 2 * shift, length);
                float[] all = new float[length], kept = new float[length];
                for (int i = 0; i < length; i++) all[i] = MathF.Abs(x[i] - b[i]);
                for (int i = 0; i < length; i++) kept[i] = Holds(mask, i) ? all[i] : 0;
                Assert.Equal((InOrder(all), InOrder(kept)), Masked.Magnitudes<float>(x, b, mask));
                var stored = MemoryMarshal.Cast<ushort, BFloat16>(codes);
                Assert.Equal((InOrder(all), InOrder(kept)), Masked.Magnitudes(stored.Slice(shift, length), stored.Slice(Most + 2 * shift, length), mask));
            }
        }
    }

    static double InOrder(float[] magnitudes)
    {
        var lanes = new double[16];
        int runs = magnitudes.Length / 64 * 64;
        for (int run = 0; run < runs; run += 64)
            for (int i = 0; i < 16; i++)
                lanes[i] += magnitudes[run + 2 * i] + magnitudes[run + 2 * i + 1] + magnitudes[run + 2 * i + 32] + magnitudes[run + 2 * i + 33];
        double sum = 0;
        for (int i = 0; i < 8; i++) sum += lanes[i] + lanes[i + 8];
        for (int i = runs; i < magnitudes.Length; i++) sum += magnitudes[i];
        return sum;
    }

    [Fact]
    public void WhatFloat32CannotAddIsStillAddedAndWhatIsNotFiniteIsNotLost()
    {
        float[] x = [.. Enumerable.Repeat(3e38f, 100)], b = new float[100];
        ulong[] mask = [0xFFFF, 0];
        Assert.Equal((Sum(100), Sum(16)), Masked.Magnitudes<float>(x, b, mask));
        x[70] = float.NaN;
        Assert.True(double.IsNaN(Masked.Magnitudes<float>(x, b, mask).All));
        x[70] = float.NegativeInfinity;
        Assert.Equal(double.PositiveInfinity, Masked.Magnitudes<float>(x, b, mask).All);
        Assert.Throws<ArgumentOutOfRangeException>(() => Masked.Magnitudes<float>(x, b, [0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Masked.Magnitudes<float>(x, new float[99], mask));

        static double Sum(int count)
        {
            double sum = 0;
            for (int i = 0; i < count; i++) sum += 3e38f;
            return sum;
        }
    }
}
