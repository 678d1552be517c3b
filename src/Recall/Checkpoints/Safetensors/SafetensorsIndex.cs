namespace Recall.Checkpoints.Safetensors;

/// <summary>Reads <c>model.safetensors.index.json</c>: which shard holds which tensor.</summary>
public static class SafetensorsIndex
{
    /// <summary>
    /// Opens every shard that the index of a folder names and checks that each named tensor lies there. Tensors of a shard that the index does
    /// not name belong to the model all the same. The file's <c>total_size</c> is a hint and not read.
    /// </summary>
    /// <exception cref="RecallException">The index or a shard is broken, missing, or leads out of the folder.</exception>
    public static IReadOnlyList<StoredTensor> Read(string path) => ShardIndex.Read(path, file => SafetensorsFile.Read(file).Tensors);
}
