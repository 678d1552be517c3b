using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Training;

/// <summary>Writes a model all of whose weights were trained: as the model it came from, file for file, with other values.</summary>
static class TrainedCheckpoint
{
    const long ShardBytes = 5_000_000_000;

    /// <summary>Adds weights, index, tokenizer files and, last, config.json.</summary>
    /// <param name="output">The folder.</param>
    /// <param name="checkpoint">The model as it was.</param>
    /// <param name="model">Its weights now.</param>
    /// <param name="type">The type of all floating-point tensors; null: each keeps its own.</param>
    /// <param name="cancellation">Ends the work between tensors.</param>
    public static void Write(OutputFiles output, Checkpoint checkpoint, LanguageModel model, DType? type, CancellationToken cancellation)
    {
        var reader = new TileReader();
        var shards = Shards(checkpoint, model, type);
        for (int shard = 0; shard < shards.Count; shard++)
        {
            var tensors = shards[shard];
            output.Add(FileName(shard, shards.Count), stream =>
            {
                var (header, _, _) = SafetensorsHeader.Make(
                    tensors.Select(tensor => (tensor.Source.Name, tensor.Type, tensor.Source.Shape)), SafetensorsHeader.TorchMetadata);
                stream.Write(header);
                foreach (var (source, written) in tensors)
                {
                    cancellation.ThrowIfCancellationRequested();
                    if (model.Weights.TryGetValue(source.Name, out var values)) WriteTrained(stream, source.Name, values, written);
                    else WriteAsItWas(stream, source, written, reader);
                }
            });
        }
        if (shards.Count > 1) output.AddJson("model.safetensors.index.json", Index(shards));
        foreach (var file in checkpoint.Files) output.Add(file.Name, stream => stream.Write(file.Read().Span));
        output.AddJson("config.json", Config(checkpoint, type ?? checkpoint.Find(model.Options.Names.Embedding)!.DType));
    }

    static List<List<(TensorSource Source, DType Type)>> Shards(Checkpoint checkpoint, LanguageModel model, DType? type)
    {
        var shards = new List<List<(TensorSource, DType)>>();
        long filled = 0;
        foreach (var source in checkpoint.Tensors)
        {
            // A stored copy of a tied head is not trained along with the embedding, and nobody reads it.
            if (model.Options.TiedEmbeddings && source.Name == model.Options.Names.Head) continue;
            var written = type is { } wanted && source.DType.IsFloat() ? wanted : source.DType;
            long length = source.Shape.Elements * written.Size();
            if (shards.Count == 0 || (filled > 0 && filled + length > ShardBytes))
            {
                shards.Add([]);
                filled = 0;
            }
            shards[^1].Add((source, written));
            filled += length;
        }
        // Wider types first, as the safetensors library does, so that all are aligned; OrderBy keeps the order within a type.
        return [.. shards.Select(shard => shard.OrderByDescending(tensor => tensor.Item2.Size()).ToList())];
    }

    static void WriteTrained(Stream stream, string name, Tensor values, DType type)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var flat = values.detach().view(-1);
        long elements = flat.numel();
        for (long start = 0; start < elements; start += TileReader.TileElements)
        {
            using var tile = flat.narrow(0, start, Math.Min(TileReader.TileElements, elements - start));
            WriteValues(stream, name, MemoryMarshal.Cast<byte, float>(tile.bytes), type);
        }
    }

    static void WriteAsItWas(Stream stream, TensorSource source, DType type, TileReader reader)
    {
        reader.BeginTensor();
        var buffer = new float[Math.Min(TileReader.TileElements, source.Shape.Elements)];
        for (long start = 0; start < source.Shape.Elements; start += buffer.Length)
        {
            int count = (int)Math.Min(buffer.Length, source.Shape.Elements - start);
            reader.Begin(count);
            if (source.Verbatim is { } stored && stored.DType == type)
            {
                stream.Write(reader.Bytes(stored, start * type.Size(), count * type.Size()));
                continue;
            }
            for (int strip = 0; strip < count; strip += TileReader.StripElements)
                source.Read(reader, start + strip, buffer.AsSpan(strip, Math.Min(TileReader.StripElements, count - strip)));
            WriteValues(stream, source.Name, buffer.AsSpan(0, count), type);
        }
    }

    static void WriteValues(Stream stream, string name, ReadOnlySpan<float> values, DType type)
    {
        if (type == DType.F16 && System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(values) > (float)Half.MaxValue)
            throw new RecallException($"tensor {Quoted.Of(name)} holds values beyond those of float16; write it with 'dtype: bfloat16'");
        var bytes = new byte[values.Length * type.Size()];
        PlainEncoding.Of(type).Encode(values, bytes);
        stream.Write(bytes);
    }

    static JsonObject Index(List<List<(TensorSource Source, DType Type)>> shards) => new()
    {
        ["metadata"] = new JsonObject
        {
            ["total_size"] = shards.SelectMany(shard => shard).Sum(tensor => tensor.Source.Shape.Elements * tensor.Type.Size()),
        },
        ["weight_map"] = new JsonObject(shards
            .SelectMany((shard, i) => shard.Select(tensor => (tensor.Source.Name, File: FileName(i, shards.Count))))
            .OrderBy(entry => entry.Name, StringComparer.Ordinal).Select(entry => KeyValuePair.Create(entry.Name, (JsonNode?)entry.File))),
    };

    static string FileName(int shard, int count) => count == 1 ? "model.safetensors" : $"model-{shard + 1:D5}-of-{count:D5}.safetensors";

    static JsonObject Config(Checkpoint checkpoint, DType type)
    {
        var config = (JsonObject)checkpoint.Config.DeepClone();
        foreach (string key in new[] { "dtype", "torch_dtype" })
            if (config.ContainsKey(key)) config[key] = type.TorchName();
        if (!config.ContainsKey("dtype") && !config.ContainsKey("torch_dtype")) config["torch_dtype"] = type.TorchName();
        return config;
    }
}
