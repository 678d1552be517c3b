namespace Recall.Checkpoints.Lora;

/// <summary>The trained factors of one module: its weight gets (B·A)·scale.</summary>
/// <param name="Name">The module, as transformers calls it while it runs: <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="A">[rank, in]; of an embedding [rank, vocabulary].</param>
/// <param name="B">[out, rank]; of an embedding [hidden, rank].</param>
/// <param name="Rank">The rank, as config and factors say.</param>
/// <param name="Scale">What B·A is multiplied by.</param>
public sealed record LoraModule(string Name, StoredTensor A, StoredTensor B, int Rank, float Scale)
{
    /// <summary>The module is an embedding: its weight [vocabulary, hidden] gets the transpose of B·A.</summary>
    public bool IsEmbedding { get; init; }

    /// <summary>The magnitudes of DoRA, [out]; null without DoRA.</summary>
    public StoredTensor? Magnitude { get; init; }

    /// <summary>The bias of lora_B, [out]; null without one.</summary>
    public StoredTensor? Bias { get; init; }

    /// <summary>
    /// The parameter of the module that is trained: <c>weight</c>, or one of stacked experts, <c>gate_up_proj</c> or <c>down_proj</c>.
    /// Those have the factors of all E experts at once: A [E·rank, in] with the expert outside, B [out, rank·E] with the expert inside.
    /// </summary>
    public string Parameter { get; init; } = "weight";
}
