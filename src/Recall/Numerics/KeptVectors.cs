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
        int count = voters.Length;
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, b.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Length, b.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(z.Length, count > 1 ? b.Length : 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(third.Length, count > 2 ? b.Length : 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(fourth.Length, count > 3 ? b.Length : 0);
        ref T origin = ref MemoryMarshal.GetReference(b), x0 = ref MemoryMarshal.GetReference(x), x1 = ref MemoryMarshal.GetReference(z);
        ref T x2 = ref MemoryMarshal.GetReference(third), x3 = ref MemoryMarshal.GetReference(fourth);
        ref float to = ref MemoryMarshal.GetReference(y);
        Voter own0 = voters[0], own1 = count > 1 ? voters[1] : default, own2 = count > 2 ? voters[2] : default, own3 = count > 3 ? voters[3] : default;
        nuint i = 0, n = (nuint)b.Length;
        if (Vector128.IsHardwareAccelerated)
        {
            Vector512<float> w0 = Vector512.Create(own0.Weight), w1 = Vector512.Create(own1.Weight);
            Vector512<float> w2 = Vector512.Create(own2.Weight), w3 = Vector512.Create(own3.Weight);
            KeyRange kept0 = new(own0.Kept), kept1 = new(own1.Kept), kept2 = new(own2.Kept), kept3 = new(own3.Kept);
            for (; i + 16 <= n; i += 16)
            {
                Vector512<float> start = Lanes<T>.Sixteen(ref origin, i), zero = Vector512<float>.Zero, v1 = zero, v2 = zero, v3 = zero;
                var v0 = kept0.Scaled(Lanes<T>.Sixteen(ref x0, i) - start, own0.Scale);
                if (count > 1) v1 = kept1.Scaled(Lanes<T>.Sixteen(ref x1, i) - start, own1.Scale);
                if (count > 2) v2 = kept2.Scaled(Lanes<T>.Sixteen(ref x2, i) - start, own2.Scale);
                if (count > 3) v3 = kept3.Scaled(Lanes<T>.Sixteen(ref x3, i) - start, own3.Scale);
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
                    var divisor = Election.AddWhere(p1, w1, Election.AddWhere(p0, w0, zero));
                    if (count > 2) divisor = Election.AddWhere(p3, w3, Election.AddWhere(p2, w2, divisor));
                    total /= Vector512.ConditionalSelect(Vector512.Equals(divisor, zero), Vector512<float>.One, divisor);
                }
                (start + total * Vector512.Create(factor)).StoreUnsafe(ref to, i);
            }
        }
        for (; i < n; i++)
        {
            float start = Lanes<T>.One(ref origin, i), v0 = own0.Kept.Of(Lanes<T>.One(ref x0, i) - start) * own0.Scale;
            float v1 = count > 1 ? own1.Kept.Of(Lanes<T>.One(ref x1, i) - start) * own1.Scale : 0;
            float v2 = count > 2 ? own2.Kept.Of(Lanes<T>.One(ref x2, i) - start) * own2.Scale : 0;
            float v3 = count > 3 ? own3.Kept.Of(Lanes<T>.One(ref x3, i) - start) * own3.Scale : 0;
            bool plus = v0 + v1 + v2 + v3 >= 0, agrees0 = plus ? v0 > 0 : v0 < 0, agrees1 = plus ? v1 > 0 : v1 < 0;
            bool agrees2 = plus ? v2 > 0 : v2 < 0, agrees3 = plus ? v3 > 0 : v3 < 0;
            float total = (agrees0 ? v0 : 0) + (agrees1 ? v1 : 0) + (agrees2 ? v2 : 0) + (agrees3 ? v3 : 0);
            float divisor = (agrees0 ? own0.Weight : 0) + (agrees1 ? own1.Weight : 0) + (agrees2 ? own2.Weight : 0) + (agrees3 ? own3.Weight : 0);
            y[(int)i] = start + (normalize && divisor != 0 ? total / divisor : total) * factor;
        }
    }
}
