using Recall.Checkpoints;
using Recall.Tests.Alignment;

namespace Recall.Tests.Representations;

/// <summary>A mixture with its experts stacked, gate and up fused.</summary>
static class Stacked
{
    /// <summary>The model with its experts as <c>mlp.experts.gate_up_proj</c> and <c>mlp.experts.down_proj</c>.</summary>
    public static Checkpoint Of(Checkpoint model, string mlp)
    {
        string[] names = mlp == "mlp" ? ["gate_proj", "up_proj", "down_proj"] : ["w1", "w3", "w2"];
        var tensors = new List<TensorSource>();
        foreach (var tensor in model.Tensors)
        {
            if (tensor.Name.Contains(".experts.", StringComparison.Ordinal)) continue;
            tensors.Add(tensor.Name.EndsWith($".{mlp}.gate.weight", StringComparison.Ordinal)
                ? new MemoryTensor(tensor.Name.Replace(mlp, "mlp", StringComparison.Ordinal), tensor.Shape, GoldenAlignment.Read(tensor)) : tensor);
        }
        for (int layer = 0; model.Find(Name(layer, 0, names[0])) is { } first; layer++)
        {
            int experts = Enumerable.Range(0, 100).TakeWhile(expert => model.Find(Name(layer, expert, names[0])) is not null).Count();
            float[] All(params string[] parts) => [.. Enumerable.Range(0, experts).SelectMany(expert =>
                parts.SelectMany(part => GoldenAlignment.Read(model.Find(Name(layer, expert, part))!)))];
            var (inner, hidden) = (first.Shape[0], first.Shape[1]);
            tensors.Add(new MemoryTensor($"model.layers.{layer}.mlp.experts.gate_up_proj", new Shape(experts, 2 * inner, hidden), All(names[0], names[1])));
            tensors.Add(new MemoryTensor($"model.layers.{layer}.mlp.experts.down_proj", new Shape(experts, hidden, inner), All(names[2])));
        }
        return model.With(tensors);

        string Name(int layer, int expert, string part) => $"model.layers.{layer}.{mlp}.experts.{expert}.{part}.weight";
    }
}
