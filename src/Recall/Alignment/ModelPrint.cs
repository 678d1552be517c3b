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
sealed class ModelPrint
{
    /// <summary>Values of a tensor that count.</summary>
    public const int Values = 64;

    readonly SortedDictionary<string, byte[]> _tensors = new(StringComparer.Ordinal);

    /// <summary>Adds a tensor: its first values, at least <see cref="Values"/> or all of them, as they are stored.</summary>
    public void Add(string name, Shape shape, ReadOnlySpan<float> first)
    {
        byte[] head = Encoding.UTF8.GetBytes($"{name} {shape}\n");
        _tensors[name] = [.. head, .. MemoryMarshal.AsBytes(first[..(int)Math.Min(Math.Min(Values, shape.Elements), first.Length)])];
    }

    /// <summary>The print, as 64 hexadecimal digits.</summary>
    public override string ToString()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (byte[] tensor in _tensors.Values) hash.AppendData(tensor);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The print of a model on disk.</summary>
    public static string Of(Checkpoint checkpoint)
    {
        var print = new ModelPrint();
        var reader = new TileReader();
        Span<float> values = stackalloc float[Values];
        foreach (var tensor in checkpoint.Tensors)
        {
            if (!tensor.DType.IsFloat()) continue;
            reader.BeginTensor();
            reader.Begin(Values);
            var first = values[..(int)Math.Min(Values, tensor.Shape.Elements)];
            tensor.Read(reader, 0, first);
            print.Add(tensor.Name, tensor.Shape, first);
        }
        return print.ToString();
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
