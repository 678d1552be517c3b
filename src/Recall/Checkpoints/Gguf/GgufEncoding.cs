using Recall.Numerics;

namespace Recall.Checkpoints.Gguf;

/// <summary>A tensor type of GGUF that Recall reads.</summary>
/// <param name="Type">Its number in the file (<c>enum ggml_type</c>).</param>
/// <param name="Encoding">How its elements lie in bytes.</param>
sealed record GgufEncoding(uint Type, TensorEncoding Encoding)
{
    static readonly Dictionary<uint, GgufEncoding> Known = new GgufEncoding[]
    {
        new(0, PlainEncoding.Of(DType.F32)), new(1, PlainEncoding.Of(DType.F16)), new(30, PlainEncoding.Of(DType.BF16)),
        new(28, PlainEncoding.Of(DType.F64)), new(24, PlainEncoding.Of(DType.I8)), new(25, PlainEncoding.Of(DType.I16)),
        new(26, PlainEncoding.Of(DType.I32)), new(27, PlainEncoding.Of(DType.I64)),
        new(2, new Q4_0()), new(3, new Q4_1()), new(6, new Q5_0()), new(7, new Q5_1()), new(8, new Q8_0()),
        new(10, new Q2_K()), new(11, new Q3_K()), new(12, new Q4_K()), new(13, new Q5_K()), new(14, new Q6_K()),
    }.ToDictionary(encoding => encoding.Type);

    static readonly Dictionary<uint, string> Unread = new()
    {
        [9] = "Q8_1", [15] = "Q8_K", [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S", [20] = "IQ4_NL", [21] = "IQ3_S",
        [22] = "IQ2_S", [23] = "IQ4_XS", [29] = "IQ1_M", [34] = "TQ1_0", [35] = "TQ2_0", [39] = "MXFP4", [40] = "NVFP4",
    };

    static readonly Dictionary<uint, string> Removed = new()
    {
        [4] = "Q4_2", [5] = "Q4_3", [31] = "Q4_0_4_4", [32] = "Q4_0_4_8", [33] = "Q4_0_8_8", [36] = "IQ4_NL_4_4", [37] = "IQ4_NL_4_8", [38] = "IQ4_NL_8_8",
    };

    public string Name => Encoding.Name;

    /// <summary>The encoding of a type number, or null and the reason, to be put after "has".</summary>
    public static GgufEncoding? Of(uint type, out string? refusal)
    {
        if (Known.TryGetValue(type, out var known))
        {
            refusal = null;
            return known;
        }
        string read = string.Join(", ", Known.Values.Select(encoding => encoding.Name));
        refusal = Unread.TryGetValue(type, out string? name) ? $"the type {name}, which Recall does not read; it reads {read}"
            : Removed.TryGetValue(type, out name) ? $"the type {name}, which GGUF has given up; convert the original model again"
            : $"the unknown type {type}";
        return null;
    }
}
