using System.Globalization;

namespace Recall.Checkpoints.Gguf;

/// <summary>The tensors of a GGUF model under their Hugging Face names, in Hugging Face's order of rows.</summary>
sealed class GgufTensors(GgufFile header, GgufFamily family)
{
    const string LayerPrefix = "blk.";

    /// <summary>Every tensor of these, but for tables that llama.cpp computes from the config.</summary>
    /// <exception cref="RecallException">A name that the family does not have: nothing is dropped in silence.</exception>
    public IReadOnlyList<TensorSource> Name(IEnumerable<StoredTensor> stored)
    {
        long? layers = header.Metadata.Integer($"{family.Architecture}.block_count");
        var seen = new HashSet<long>();
        var tensors = new List<TensorSource>();
        foreach (var tensor in stored.Where(tensor => !IsComputed(tensor.Name)))
        {
            var (layer, part, ending) = Split(tensor.Name);
            string? pattern = family.Names.GetValueOrDefault(part);
            if (pattern is null || ending is not ("weight" or "bias") || layer is not null != pattern.Contains('*'))
                throw Bad(tensor, $"is no tensor that Recall knows in the architecture {family.Architecture}");
            if (layer >= layers) throw Bad(tensor, $"belongs to a layer beyond the {layers} of '{family.Architecture}.block_count'");
            if (layer is { } number)
            {
                seen.Add(number);
                pattern = Fill(pattern, number);
            }
            if (pattern.Contains('*')) tensors.AddRange(Experts(tensor, pattern, ending));
            else tensors.Add(Convert(tensor, part, $"{pattern}.{ending}"));
        }
        if (layers is not null && seen.Count != layers)
            throw new RecallException($"{header.Path}: '{family.Architecture}.block_count' is {layers}, but the file holds tensors of {seen.Count} layers");
        return tensors;
    }

    static bool IsComputed(string name) => name == "rope_freqs.weight"
        || (name.StartsWith(LayerPrefix, StringComparison.Ordinal) && name.EndsWith(".attn_rot_embd.weight", StringComparison.Ordinal));

    static (long? Layer, string Part, string Ending) Split(string name)
    {
        int dot = name.LastIndexOf('.');
        var (part, ending) = dot < 0 ? (name, "") : (name[..dot], name[(dot + 1)..]);
        if (!part.StartsWith(LayerPrefix, StringComparison.Ordinal)) return (null, part, ending);
        int end = part.IndexOf('.', LayerPrefix.Length);
        if (end < 0 || !int.TryParse(part.AsSpan(LayerPrefix.Length, end - LayerPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
            || part.AsSpan(LayerPrefix.Length, end - LayerPrefix.Length) is ['0', _, ..]) return (null, part, ending);
        return (layer, part[(end + 1)..], ending);
    }

    static string Fill(string pattern, long number)
    {
        int star = pattern.IndexOf('*', StringComparison.Ordinal);
        return $"{pattern[..star]}{number}{pattern[(star + 1)..]}";
    }

    TensorSource Convert(StoredTensor tensor, string part, string name)
    {
        if (family.PermutedHeads && part is "attn_q" or "attn_k") return Unpermute(tensor, name, part);
        if (family.NormsPlusOne && part.EndsWith("norm", StringComparison.Ordinal)) return new NormPlusOne(name, tensor);
        if (family.Transposed && tensor.Shape.Rank == 2 && part.StartsWith("attn", StringComparison.Ordinal) | part.StartsWith("ffn", StringComparison.Ordinal))
            return new TransposedTensor(name, tensor);
        return new StoredTensor(name, tensor.Shape, tensor.Encoding, tensor.File, tensor.Offset);
    }

    UnpermutedHeads Unpermute(StoredTensor tensor, string name, string part)
    {
        string key = $"{family.Architecture}.attention.head_count", keyOfKeys = $"{key}_kv";
        long heads = header.Metadata.Count(part == "attn_k" && header.Metadata.Has(keyOfKeys) ? keyOfKeys : key);
        if (tensor.Shape.Rank is not (1 or 2)) throw Bad(tensor, $"has {tensor.Shape.Rank} dimensions; 1 or 2 are expected");
        long rows = tensor.Shape[0];
        if (heads > rows || rows % (2 * heads) != 0) throw Bad(tensor, $"has {rows} rows, no multiple of twice its {heads} heads");
        return new UnpermutedHeads(name, tensor, rows / heads);
    }

    static IEnumerable<StoredTensor> Experts(StoredTensor tensor, string pattern, string ending)
    {
        if (tensor.Shape.Rank != 3) throw Bad(tensor, $"has {tensor.Shape.Rank} dimensions; the matrices of the experts have 3");
        var shape = new Shape(tensor.Shape[1], tensor.Shape[2]);
        for (long expert = 0; expert < tensor.Shape[0]; expert++)
        {
            long offset = tensor.Offset + expert * tensor.Encoding.Bytes(shape.Elements);
            yield return new StoredTensor($"{Fill(pattern, expert)}.{ending}", shape, tensor.Encoding, tensor.File, offset);
        }
    }

    static RecallException Bad(StoredTensor tensor, string what) => new($"{tensor.File.Path}: tensor {Quoted.Of(tensor.Name)} {what}");
}
