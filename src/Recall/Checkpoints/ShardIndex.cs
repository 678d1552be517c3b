using System.Text.Json;

namespace Recall.Checkpoints;

/// <summary>Reads the index of a sharded checkpoint, <c>*.index.json</c>: which shard holds which tensor.</summary>
static class ShardIndex
{
    const long LongestIndex = 200_000_000;

    /// <summary>
    /// Opens every shard that the index of a folder names and checks that each named tensor lies there. Tensors of a shard that the index does
    /// not name belong to the model all the same. The file's <c>total_size</c> is a hint and not read.
    /// </summary>
    /// <exception cref="RecallException">The index or a shard is broken, missing, or leads out of the folder.</exception>
    public static IReadOnlyList<T> Read<T>(string path, Func<DataFile, IReadOnlyList<T>> readShard) where T : TensorSource
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var places = ReadWeightMap(path);
        if (places.Count == 0) throw new RecallException($"{path}: weight_map is empty: a model without tensors");

        var names = places.Values.Distinct(StringComparer.Ordinal).ToList();
        var missing = names.Where(name => !File.Exists(Resolve(path, folder, name)) && !Directory.Exists(Resolve(path, folder, name))).ToList();
        if (missing.Count > 0)
            throw new RecallException($"{path}: {missing.Count} of {names.Count} shards are not there: {string.Join(", ", missing.Take(5).Select(Quoted.Of))}");

        var tensors = new Dictionary<string, (string Shard, T Tensor)>(StringComparer.Ordinal);
        foreach (string name in names)
        {
            foreach (var tensor in readShard(DataFile.Open(Resolve(path, folder, name))))
            {
                if (!tensors.TryAdd(tensor.Name, (name, tensor)))
                    throw new RecallException($"{path}: tensor {Quoted.Of(tensor.Name)} lies in two shards, {tensors[tensor.Name].Shard} and {name}");
            }
        }
        foreach (var (tensor, shard) in places)
        {
            if (!tensors.TryGetValue(tensor, out var found) || found.Shard != shard)
                throw new RecallException($"{path}: places tensor {Quoted.Of(tensor)} in {shard}, which does not hold it");
        }
        return [.. tensors.Values.Select(place => place.Tensor)];
    }

    static string Resolve(string path, string folder, string shard)
    {
        bool leaves = shard.Length == 0 || shard.Contains('\0') || shard.Contains('\\') || shard.Contains(':') || Path.IsPathRooted(shard)
            || shard.Split('/').Any(part => part is ".." or "");
        if (leaves) throw new RecallException($"{path}: shard {Quoted.Of(shard)} is not the name of a file inside the model's folder");
        return Path.Combine(folder, shard);
    }

    static Dictionary<string, string> ReadWeightMap(string path)
    {
        using var file = DataFile.Open(path);
        if (file.Length > LongestIndex) throw new RecallException($"{path}: has {file.Length} bytes, above the limit of {LongestIndex} for an index");
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        Dictionary<string, string>? places = null;
        try
        {
            var json = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = 64 });
            json.Read();
            if (json.TokenType != JsonTokenType.StartObject) throw new RecallException($"{path}: must be a JSON object with a weight_map");
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                bool map = json.ValueTextEquals("weight_map");
                json.Read();
                if (!map)
                {
                    json.Skip();
                    continue;
                }
                if (places is not null) throw new RecallException($"{path}: weight_map stands twice");
                if (json.TokenType != JsonTokenType.StartObject) throw new RecallException($"{path}: weight_map must be an object: tensor name to shard name");
                places = new Dictionary<string, string>(StringComparer.Ordinal);
                while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
                {
                    string name = json.GetString()!;
                    json.Read();
                    if (json.TokenType != JsonTokenType.String) throw new RecallException($"{path}: the shard of {Quoted.Of(name)} must be a string");
                    if (!places.TryAdd(name, json.GetString()!)) throw new RecallException($"{path}: tensor {Quoted.Of(name)} stands twice");
                }
            }
            while (json.Read()) { }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new RecallException($"{path}: is not valid JSON: {e.Message}", e);
        }
        return places ?? throw new RecallException($"{path}: has no weight_map");
    }
}
