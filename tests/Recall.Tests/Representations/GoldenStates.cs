using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Representations;

namespace Recall.Tests.Representations;

/// <summary>Matrices of a golden file, in the precision in which they are stored.</summary>
sealed class GoldenStates(string path)
{
    readonly IReadOnlyList<StoredTensor> _tensors = SafetensorsFile.Read(DataFile.Open(path)).Tensors;

    public IEnumerable<string> Names => _tensors.Select(tensor => tensor.Name);

    /// <summary>A matrix [rows, columns] of float32 or float64.</summary>
    public PooledStates this[string name]
    {
        get
        {
            var tensor = _tensors.Single(tensor => tensor.Name == name);
            var states = new PooledStates((int)tensor.Shape[0], (int)tensor.Shape.RowLength);
            var bytes = Bytes(tensor);
            if (tensor.DType == Recall.Numerics.DType.F64) Buffer.BlockCopy(bytes, 0, states.Values, 0, bytes.Length);
            else
                for (int i = 0; i < states.Values.Length; i++) states.Values[i] = BitConverter.ToSingle(bytes, 4 * i);
            return states;
        }
    }

    public float[] Floats(string name)
    {
        var tensor = _tensors.Single(tensor => tensor.Name == name);
        var values = new float[tensor.Shape.Elements];
        tensor.Read(new TileReader(), 0, values);
        return values;
    }

    public int[] Integers(string name)
    {
        var bytes = Bytes(_tensors.Single(tensor => tensor.Name == name));
        return [.. Enumerable.Range(0, bytes.Length / 8).Select(i => (int)BitConverter.ToInt64(bytes, 8 * i))];
    }

    public static JsonNode Json(params string[] parts) => JsonNode.Parse(File.ReadAllText(Fixtures.Path(parts)))!;

    static byte[] Bytes(StoredTensor tensor)
    {
        var bytes = new byte[tensor.Length];
        tensor.File.Read(tensor.Offset, bytes);
        return bytes;
    }
}
