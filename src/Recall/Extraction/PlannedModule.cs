using Recall.Checkpoints;

namespace Recall.Extraction;

/// <summary>How a module goes into an adapter.</summary>
enum ModuleForm
{
    /// <summary>lora_A and lora_B.</summary>
    Factors,
    /// <summary>lora_embedding_A and lora_embedding_B.</summary>
    EmbeddingFactors,
    /// <summary>Its tensors as they are.</summary>
    Whole,
}

/// <summary>A module that an adapter is to hold.</summary>
/// <param name="Name">The module: <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Form">How.</param>
/// <param name="Tensors">Its tensors, by the part of the name behind the module's: the base's and the fine-tuned model's.</param>
/// <param name="Transposed">The weight is stored [in, out].</param>
sealed record PlannedModule(
    string Name, ModuleForm Form, IReadOnlyDictionary<string, (TensorSource Base, TensorSource Tuned)> Tensors, bool Transposed)
{
    const string Prefix = "base_model.model.";

    /// <summary>The name of one of its tensors in the adapter.</summary>
    public string TensorName(string part) => $"{Prefix}{Name}.{part}";

    /// <summary>The names of its factors, A first.</summary>
    public (string A, string B) FactorNames => Form == ModuleForm.EmbeddingFactors
        ? (TensorName("lora_embedding_A"), TensorName("lora_embedding_B")) : (TensorName("lora_A.weight"), TensorName("lora_B.weight"));

    /// <summary>Bytes of both models that its tensors are made of.</summary>
    public long BytesToRead => Tensors.Values.Sum(pair => pair.Base.Stored.Sum(stored => stored.Length) + pair.Tuned.Stored.Sum(stored => stored.Length));

    /// <summary>[out, in] of the difference that is decomposed.</summary>
    public (int Outputs, int Inputs) Extent
    {
        get
        {
            var shape = Tensors["weight"].Base.Shape;
            int rows = checked((int)shape[0]), columns = checked((int)shape[1]);
            return Transposed ? (columns, rows) : (rows, columns);
        }
    }
}
