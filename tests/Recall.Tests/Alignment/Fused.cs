using System.Text.Json.Nodes;
using Recall.Checkpoints;

namespace Recall.Tests.Alignment;

/// <summary>A Llama written as Phi-3: queries, keys and values in one tensor, gate and up in another.</summary>
static class Fused
{
    public static Checkpoint Of(Checkpoint llama)
    {
        var config = (JsonObject)llama.Config.DeepClone();
        (config["model_type"], config["architectures"]) = ("phi3", new JsonArray("Phi3ForCausalLM"));
        var tensors = new List<TensorSource>();
        foreach (var tensor in llama.Tensors)
        {
            if (Part(tensor.Name, "q_proj", "qkv_proj", "k_proj", "v_proj") is { } all) tensors.Add(all);
            else if (Part(tensor.Name, "gate_proj", "gate_up_proj", "up_proj") is { } both) tensors.Add(both);
            else if (!tensor.Name.Contains("k_proj", StringComparison.Ordinal) && !tensor.Name.Contains("v_proj", StringComparison.Ordinal)
                && !tensor.Name.Contains("up_proj", StringComparison.Ordinal)) tensors.Add(tensor);
        }
        return llama.With(tensors, config);

        MemoryTensor? Part(string name, string first, string fused, params string[] others)
        {
            if (!name.Contains(first, StringComparison.Ordinal)) return null;
            var parts = others.Prepend(first).Select(part => llama.Find(name.Replace(first, part, StringComparison.Ordinal))!).ToList();
            return new MemoryTensor(name.Replace(first, fused, StringComparison.Ordinal), new Shape(parts.Sum(part => part.Shape[0]), parts[0].Shape[1]),
                [.. parts.SelectMany(GoldenAlignment.Read)]);
        }
    }
}
