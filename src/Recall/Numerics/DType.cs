namespace Recall.Numerics;

/// <summary>The element types of safetensors files that Recall reads and writes, named as PyTorch and safetensors name them.</summary>
public enum DType
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,
    /// <summary>Unsigned 8-bit integer.</summary>
    U8,
    /// <summary>Signed 8-bit integer.</summary>
    I8,
    /// <summary>Unsigned 16-bit integer.</summary>
    U16,
    /// <summary>Signed 16-bit integer.</summary>
    I16,
    /// <summary>Unsigned 32-bit integer.</summary>
    U32,
    /// <summary>Signed 32-bit integer.</summary>
    I32,
    /// <summary>Unsigned 64-bit integer.</summary>
    U64,
    /// <summary>Signed 64-bit integer.</summary>
    I64,
    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, no infinities (torch.float8_e4m3fn).</summary>
    F8E4M3,
    /// <summary>8-bit float, 5 exponent and 2 mantissa bits (torch.float8_e5m2).</summary>
    F8E5M2,
    /// <summary>IEEE half precision.</summary>
    F16,
    /// <summary>The upper half of a 32-bit float.</summary>
    BF16,
    /// <summary>IEEE single precision.</summary>
    F32,
    /// <summary>IEEE double precision.</summary>
    F64,
}

/// <summary>Sizes and names of <see cref="DType"/>.</summary>
public static class DTypes
{
    static readonly (DType Type, int Size, string Safetensors, string Torch)[] Table =
    [
        (DType.Bool, 1, "BOOL", "bool"), (DType.U8, 1, "U8", "uint8"), (DType.I8, 1, "I8", "int8"),
        (DType.U16, 2, "U16", "uint16"), (DType.I16, 2, "I16", "int16"), (DType.U32, 4, "U32", "uint32"), (DType.I32, 4, "I32", "int32"),
        (DType.U64, 8, "U64", "uint64"), (DType.I64, 8, "I64", "int64"),
        (DType.F8E4M3, 1, "F8_E4M3", "float8_e4m3fn"), (DType.F8E5M2, 1, "F8_E5M2", "float8_e5m2"),
        (DType.F16, 2, "F16", "float16"), (DType.BF16, 2, "BF16", "bfloat16"), (DType.F32, 4, "F32", "float32"), (DType.F64, 8, "F64", "float64"),
    ];

    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType type) => Table[(int)type].Size;

    /// <summary>The name in a safetensors header, such as <c>BF16</c>.</summary>
    public static string SafetensorsName(this DType type) => Table[(int)type].Safetensors;

    /// <summary>The name in a config.json or a merge config, such as <c>bfloat16</c>.</summary>
    public static string TorchName(this DType type) => Table[(int)type].Torch;

    /// <summary>True for floating point types: those that are merged; others are carried over.</summary>
    public static bool IsFloat(this DType type) => type >= DType.F8E4M3;

    /// <summary>The float type that holds both, as PyTorch promotes: float16 and bfloat16 give float32, 8-bit floats give way to any other.</summary>
    public static DType Promote(DType left, DType right)
    {
        if (left == right) return left;
        var (small, large) = left < right ? (left, right) : (right, left);
        return (small, large) is (DType.F16, DType.BF16) or (DType.F8E4M3, DType.F8E5M2) ? DType.F32 : large;
    }

    /// <summary>The largest number of a float type.</summary>
    public static float LargestNumber(this DType type) => type switch
    {
        DType.F8E4M3 => 448f,
        DType.F8E5M2 => 57344f,
        DType.F16 => 65504f,
        DType.BF16 => BitConverter.UInt32BitsToSingle(0x7F7F_0000),
        _ => float.MaxValue,
    };

    /// <summary>The type with that safetensors name, if there is one.</summary>
    public static DType? FromSafetensorsName(string name)
    {
        foreach (var row in Table)
            if (row.Safetensors == name) return row.Type;
        return null;
    }

    /// <summary>The type with that PyTorch name, with or without <c>torch.</c> in front, if there is one.</summary>
    public static DType? FromTorchName(string name)
    {
        if (name.StartsWith("torch.", StringComparison.Ordinal)) name = name[6..];
        foreach (var row in Table)
            if (row.Torch == name) return row.Type;
        return null;
    }
}
