using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Recall.Numerics;

/// <summary>
/// How numbers lie in bytes: blocks of <see cref="BlockElements"/> elements in <see cref="BlockBytes"/> bytes each.
/// Plain types have blocks of one element; the quantised types of GGUF have more.
/// </summary>
public abstract class TensorEncoding
{
    /// <summary>The name as its format writes it, such as <c>BF16</c> or <c>Q4_1</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Elements of one block.</summary>
    public abstract int BlockElements { get; }

    /// <summary>Bytes of one block.</summary>
    public abstract int BlockBytes { get; }

    /// <summary>The plain type to which the values belong when they are written without loss: F32 for quantised types.</summary>
    public abstract DType DType { get; }

    /// <summary>Decodes whole blocks: <paramref name="destination"/> has <see cref="BlockElements"/> values for each block of <paramref name="source"/>.</summary>
    public abstract void Decode(ReadOnlySpan<byte> source, Span<float> destination);

    /// <summary>Bytes of so many elements, a whole number of blocks.</summary>
    public long Bytes(long elements) => checked(elements / BlockElements * BlockBytes);
}

/// <summary>The elements of a <see cref="Numerics.DType"/> one after the other, little-endian.</summary>
public sealed class PlainEncoding : TensorEncoding
{
    static readonly PlainEncoding[] All = [.. Enum.GetValues<DType>().Select(type => new PlainEncoding(type))];

    PlainEncoding(DType type) => DType = type;

    /// <summary>The one encoding of a type.</summary>
    public static PlainEncoding Of(DType type) => All[(int)type];

    /// <inheritdoc/>
    public override string Name => DType.SafetensorsName();

    /// <inheritdoc/>
    public override int BlockElements => 1;

    /// <inheritdoc/>
    public override int BlockBytes => DType.Size();

    /// <inheritdoc/>
    public override DType DType { get; }

    /// <summary>Widens (or, from 64-bit and 32-bit integers, rounds to nearest even) to float32.</summary>
    public override void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(source.Length, destination.Length * BlockBytes);
        switch (DType)
        {
            case DType.F32: source.CopyTo(MemoryMarshal.AsBytes(destination)); break;
            case DType.BF16: BFloat16.ToSingle(MemoryMarshal.Cast<byte, ushort>(source), destination); break;
            case DType.F16: TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), destination); break;
            case DType.F64: Each<double>(source, destination, x => (float)x); break;
            case DType.F8E4M3: Look(Float8.E4M3, source, destination); break;
            case DType.F8E5M2: Look(Float8.E5M2, source, destination); break;
            case DType.Bool: Each<byte>(source, destination, x => x == 0 ? 0 : 1); break;
            case DType.U8: Each<byte>(source, destination, x => x); break;
            case DType.I8: Each<sbyte>(source, destination, x => x); break;
            case DType.U16: Each<ushort>(source, destination, x => x); break;
            case DType.I16: Each<short>(source, destination, x => x); break;
            case DType.U32: Each<uint>(source, destination, x => x); break;
            case DType.I32: Each<int>(source, destination, x => x); break;
            case DType.U64: Each<ulong>(source, destination, x => x); break;
            case DType.I64: Each<long>(source, destination, x => x); break;
            default: throw new InvalidOperationException(DType.ToString());
        }
    }

    /// <summary>
    /// Rounds float32 once to this type, to nearest even: overflow gives an infinity (448 in F8_E4M3), integers saturate, NaN becomes 0 in integers.
    /// </summary>
    public void Encode(ReadOnlySpan<float> source, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length * BlockBytes);
        switch (DType)
        {
            case DType.F32: MemoryMarshal.AsBytes(source).CopyTo(destination); break;
            case DType.BF16: BFloat16.FromSingle(source, MemoryMarshal.Cast<byte, ushort>(destination)); break;
            case DType.F16: TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<byte, Half>(destination)); break;
            case DType.F64: Each<double>(source, destination, x => x); break;
            case DType.F8E4M3: Each(source, destination, Float8.ToE4M3); break;
            case DType.F8E5M2: Each(source, destination, Float8.ToE5M2); break;
            case DType.Bool: Each<byte>(source, destination, x => x == 0 ? (byte)0 : (byte)1); break;
            case DType.U8: Each(source, destination, x => byte.CreateSaturating(MathF.Round(x))); break;
            case DType.I8: Each(source, destination, x => sbyte.CreateSaturating(MathF.Round(x))); break;
            case DType.U16: Each(source, destination, x => ushort.CreateSaturating(MathF.Round(x))); break;
            case DType.I16: Each(source, destination, x => short.CreateSaturating(MathF.Round(x))); break;
            case DType.U32: Each(source, destination, x => uint.CreateSaturating(MathF.Round(x))); break;
            case DType.I32: Each(source, destination, x => int.CreateSaturating(MathF.Round(x))); break;
            case DType.U64: Each(source, destination, x => ulong.CreateSaturating(MathF.Round(x))); break;
            case DType.I64: Each(source, destination, x => long.CreateSaturating(MathF.Round(x))); break;
            default: throw new InvalidOperationException(DType.ToString());
        }
    }

    /// <summary>As <see cref="Encode"/>; false where a value is a NaN, or beyond the numbers of the type.</summary>
    internal bool TryEncode(ReadOnlySpan<float> source, Span<byte> destination)
    {
        if (DType == DType.BF16) return BFloat16.FromSingle(source, MemoryMarshal.Cast<byte, ushort>(destination));
        // NaN and infinities compare false.
        if (!(Elementwise.MaxMagnitude(source) <= DType.LargestNumber())) return false;
        Encode(source, destination);
        return true;
    }

    static void Look(float[] table, ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (int i = 0; i < source.Length; i++) destination[i] = table[source[i]];
    }

    static void Each<T>(ReadOnlySpan<byte> source, Span<float> destination, Func<T, float> convert) where T : unmanaged
    {
        var values = MemoryMarshal.Cast<byte, T>(source);
        for (int i = 0; i < destination.Length; i++) destination[i] = convert(values[i]);
    }

    static void Each<T>(ReadOnlySpan<float> source, Span<byte> destination, Func<float, T> convert) where T : unmanaged
    {
        var values = MemoryMarshal.Cast<byte, T>(destination);
        for (int i = 0; i < source.Length; i++) values[i] = convert(source[i]);
    }
}
