using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Planning;

namespace Recall.Reporting;

/// <summary>
/// Which files a merge was made of. Up to 64 MiB (adapters, tokenizers) a file has its SHA-256, as sha256sum prints it. Larger files of weights would
/// take as long to hash as to merge: they have the SHA-256 of a sample, their header (names, types, shapes, places) and then the first 4096 bytes of
/// each tensor in the order of the file, which tells fine-tunes of one base apart.
/// </summary>
sealed class InputHashes
{
    const long LargestWhole = 64L << 20, LongestHeader = 16L << 20;
    const int SampleBytes = 4096;

    readonly Dictionary<string, JsonObject> _known = new(StringComparer.Ordinal);

    /// <summary>A model's files.</summary>
    public JsonObject Of(OpenedModel model)
    {
        var files = model.Checkpoint.Tensors.SelectMany(tensor => tensor.Stored).Distinct<StoredTensor>(ReferenceEqualityComparer.Instance)
            .GroupBy(stored => stored.File.Path, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => (JsonNode)Weights([.. group.OrderBy(stored => stored.Offset)]).DeepClone())
            .Concat(model.Checkpoint.Files.Select(file => (JsonNode)new JsonObject
            {
                ["path"] = file.Source ?? file.Name,
                ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(file.Read().Span)),
            }));
        return new JsonObject { ["model"] = model.Name, ["files"] = new JsonArray([.. files]) };
    }

    JsonObject Weights(StoredTensor[] tensors)
    {
        var file = tensors[0].File;
        if (_known.TryGetValue(file.Path, out var known)) return known;
        bool whole = file.Length <= LargestWhole;
        var hashed = new JsonObject { ["path"] = file.Path, ["bytes"] = file.Length, [whole ? "sha256" : "sample_sha256"] = Hash(file, whole ? [] : tensors) };
        _known.Add(file.Path, hashed);
        return hashed;
    }

    static string Hash(DataFile file, StoredTensor[] sampled)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        void Add(long offset, long length)
        {
            for (long end = offset + length; offset < end; offset += buffer.Length)
            {
                var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - offset));
                file.Read(offset, part);
                hash.AppendData(part);
            }
        }
        Add(0, sampled.Length == 0 ? file.Length : Math.Min(sampled[0].Offset, LongestHeader));
        foreach (var tensor in sampled) Add(tensor.Offset, Math.Min(tensor.Length, SampleBytes));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
