using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>A task vector in an election: its scale, its weight, and what is kept of it.</summary>
readonly record struct Voter(float Scale, float Weight, KeptKeys Kept);

/// <summary>
/// Arithmetic on task vectors δ = x − b of which some elements are kept, by magnitude, and the others are 0: in one pass over the x and b, rounded as
/// in <see cref="Elementwise"/>. Inputs are float32 or bfloat16 (<see cref="Lanes{T}"/>), spans of one call have the same length.
/// </summary>
static class KeptVectors
{
    /// <summary>Most voters of <see cref="AddElected{T}"/>.</summary>
    public const int MostVoters = 4;

    /// <summary>y = (y + a δ) + c ε, δ kept of x − b and ε of z − b; without z the first only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled<T>(
        ReadOnlySpan<T> x, float a, KeptKeys keptOfX, ReadOnlySpan<T> z, float c, KeptKeys keptOfZ, ReadOnlySpan<T> b, Span<float> y) where T : unmanaged
    {
        bool two = !z.IsEmpty;
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, x.Length);
        if (two) ArgumentOutOfRangeException.ThrowIfNotEqual(z.Length, x.Length);
        ref T first = ref MemoryMarshal.GetReference(x), second = ref MemoryMarshal.GetReference(z), origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)x.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            KeyRange one = new(keptOfX), other = new(keptOfZ);
            for (; i + 16 <= n; i += 16)
            {
                var from = Lanes<T>.Sixteen(ref origin, i);
                var sum = Vector512.LoadUnsafe(ref to, i) + one.Scaled(Lanes<T>.Sixteen(ref first, i) - from, a);
                if (two) sum += other.Scaled(Lanes<T>.Sixteen(ref second, i) - from, c);
                sum.StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float from = Lanes<T>.One(ref origin, i), sum = y[(int)i] + keptOfX.Of(Lanes<T>.One(ref first, i) - from) * a;
            y[(int)i] = two ? sum + keptOfZ.Of(Lanes<T>.One(ref second, i) - from) * c : sum;
        }
    }

    /// <summary>
    /// y = b + f Σ s_m δ_m / Σ w_m over what agrees with the sign of Σ s_m δ_m, + where that is 0, as <see cref="TaskVectors.Elect"/> elects it;
    /// a divisor of 0 counts as 1, and without <paramref name="normalize"/> every one does.
    /// </summary>
    /// <param name="b">The base.</param>
    /// <param name="x">The first voter.</param>
    /// <param name="z">The second.</param>
    /// <param name="third">The third, or empty.</param>
    /// <param name="fourth">The fourth, or empty.</param>
    /// <param name="voters">Scales s, weights w, and which δ are kept; one each.</param>
    /// <param name="normalize">Whether the sum is divided.</param>
    /// <param name="factor">f.</param>
    /// <param name="y">The results.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddElected<T>(
        ReadOnlySpan<T> b, ReadOnlySpan<T> x, ReadOnlySpan<T> z, ReadOnlySpan<T> third, ReadOnlySpan<T> fourth, ReadOnlySpan<Voter> voters, bool normalize,
        float factor, Span<float> y) where T : unmanaged
    {
        Voter one = voters[0], two = voters.Length > 1 ? voters[1] : default;
        Voter more = voters.Length > 2 ? voters[2] : default, last = voters.Length > 3 ? voters[3] : default;
        KeyRange range1 = new(one.Kept), range2 = new(two.Kept), range3 = new(more.Kept), range4 = new(last.Kept);
        AddElected<T, InRange>(b, new(x, one.Scale, one.Weight, new(ref range1)), new(z, two.Scale, two.Weight, new(ref range2)),
            new(third, more.Scale, more.Weight, new(ref range3)), new(fourth, last.Scale, last.Weight, new(ref range4)), voters.Length, normalize, factor, y);
    }

    /// <summary>The same of voters that hold their values, as many as the count says.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddElected<T, TKept>(
        ReadOnlySpan<T> b, Ballot<T, TKept> one, Ballot<T, TKept> two, Ballot<T, TKept> three, Ballot<T, TKept> four, int count, bool normalize, float factor,
        Span<float> y) where T : unmanaged where TKept : IKept, allows ref struct
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, b.Length);
        Ballot<T, TKept>.Check(b.Length, one, two, three, four, count);
        ref T origin = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        nuint i = 0, n = (nuint)b.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            Vectors scales = new(one.Scale, two.Scale, three.Scale, four.Scale), weights = new(one.Weight, two.Weight, three.Weight, four.Weight);
            var f = Vector512.Create(factor);
            for (; i + 32 <= n; i += 32)
            {
                var first = Elected(Lanes<T>.Half(ref origin, i, true), i, true, one, two, three, four, scales, weights, count, normalize, f);
                var second = Elected(Lanes<T>.Half(ref origin, i, false), i, false, one, two, three, four, scales, weights, count, normalize, f);
                Lanes<T>.Store(first, second, ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float start = Lanes<T>.One(ref origin, i), v0 = one.Value(start, i);
            float v1 = count > 1 ? two.Value(start, i) : 0, v2 = count > 2 ? three.Value(start, i) : 0, v3 = count > 3 ? four.Value(start, i) : 0;
            bool plus = v0 + v1 + v2 + v3 >= 0, agrees0 = plus ? v0 > 0 : v0 < 0, agrees1 = plus ? v1 > 0 : v1 < 0;
            bool agrees2 = plus ? v2 > 0 : v2 < 0, agrees3 = plus ? v3 > 0 : v3 < 0;
            float total = (agrees0 ? v0 : 0) + (agrees1 ? v1 : 0) + (agrees2 ? v2 : 0) + (agrees3 ? v3 : 0);
            float divisor = (agrees0 ? one.Weight : 0) + (agrees1 ? two.Weight : 0) + (agrees2 ? three.Weight : 0) + (agrees3 ? four.Weight : 0);
            y[(int)i] = start + (normalize && divisor != 0 ? total / divisor : total) * factor;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Elected<T, TKept>(
        Vector512<float> start, nuint i, bool first, Ballot<T, TKept> one, Ballot<T, TKept> two, Ballot<T, TKept> three, Ballot<T, TKept> four, Vectors scales,
        Vectors weights, int count, bool normalize, Vector512<float> factor) where T : unmanaged where TKept : IKept, allows ref struct
    {
        Vector512<float> zero = Vector512<float>.Zero, v1 = zero, v2 = zero, v3 = zero;
        var v0 = one.Values(start, i, first, scales.One);
        if (count > 1) v1 = two.Values(start, i, first, scales.Two);
        if (count > 2) v2 = three.Values(start, i, first, scales.Three);
        if (count > 3) v3 = four.Values(start, i, first, scales.Four);
        var majority = v0 + v1;
        if (count > 2) majority = majority + v2 + v3;
        var sign = Election.Sign(majority);
        Vector512<float> p0 = Election.Positive(v0, sign), p1 = Election.Positive(v1, sign), p2 = zero, p3 = zero, total = p0 + p1;
        if (count > 2)
        {
            (p2, p3) = (Election.Positive(v2, sign), Election.Positive(v3, sign));
            total = total + p2 + p3;
        }
        total |= sign.AsSingle();
        if (normalize)
        {
            var divisor = Election.AddWhere(p1, weights.Two, Election.AddWhere(p0, weights.One, zero));
            if (count > 2) divisor = Election.AddWhere(p3, weights.Four, Election.AddWhere(p2, weights.Three, divisor));
            total /= Vector512.ConditionalSelect(Vector512.Equals(divisor, zero), Vector512<float>.One, divisor);
        }
        return start + total * factor;
    }
}
