using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using static TorchSharp.torch;

namespace Recall.Tests.Representations;

/// <summary>The tensors of a golden file, and the comparison with them.</summary>
sealed class GoldenTensors(string path)
{
    readonly Dictionary<string, StoredTensor> _tensors = SafetensorsFile.Read(DataFile.Open(path)).Tensors.ToDictionary(tensor => tensor.Name);

    public IEnumerable<string> Names => _tensors.Keys;

    public Tensor this[string name]
    {
        get
        {
            var stored = _tensors[name];
            var bytes = new byte[stored.Length];
            stored.File.Read(stored.Offset, bytes);
            var type = stored.DType == Recall.Numerics.DType.I64 ? ScalarType.Int64 : ScalarType.Float32;
            Assert.True(stored.DType is Recall.Numerics.DType.I64 or Recall.Numerics.DType.F32);
            var values = empty([.. stored.Shape.Dimensions], type);
            bytes.CopyTo(values.bytes);
            return values;
        }
    }

    /// <summary>Both are [B, T, n], or of one shape without mask; asserts that they are finite and nowhere further apart than the tolerance.</summary>
    public static void AssertNear(Tensor expected, Tensor actual, string what, double tolerance = 1e-4, Tensor? mask = null)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(expected.shape, actual.shape);
        var distance = (expected - actual.to_type(ScalarType.Float32)).abs();
        if (mask is not null) distance = distance.index(mask.to_type(ScalarType.Bool));
        double largest = distance.max().item<float>();
        Assert.True(largest <= tolerance, $"{what}: largest difference {largest}");
    }
}
