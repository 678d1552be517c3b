using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Alignment;

/// <summary>
/// Tells models apart without reading them whole: SHA-256 over name, shape and first values of every floating-point tensor, by name. An
/// adapter applied to its base has the print of the result.
/// </summary>
static class ModelPrint
{
    /// <summary>Values of a tensor that count.</summary>
    const int Values = 64;

    /// <summary>The print of a model on disk, as 64 hexadecimal digits.</summary>
    public static string Of(Checkpoint checkpoint) => Of(checkpoint.Tensors);

    /// <summary>The print of a model that has these tensors, in any order.</summary>
    public static string Of(IEnumerable<TensorSource> tensors)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var reader = new TileReader();
        Span<float> values = stackalloc float[Values];
        foreach (var tensor in tensors.Where(tensor => tensor.DType.IsFloat()).OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            reader.BeginTensor();
            reader.Begin(Values);
            var first = values[..(int)Math.Min(Values, tensor.Shape.Elements)];
            tensor.Read(reader, 0, first);
            hash.AppendData(Encoding.UTF8.GetBytes($"{tensor.Name} {tensor.Shape}\n"));
            hash.AppendData(MemoryMarshal.AsBytes(first));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>SHA-256 over the tokens of texts, and where their answers begin.</summary>
    public static string Of(IEnumerable<AlignmentText> texts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var text in texts)
        {
            hash.AppendData(MemoryMarshal.AsBytes<int>([text.Ids.Length, text.Answer]));
            hash.AppendData(MemoryMarshal.AsBytes(text.Ids.AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
