using Recall.Checkpoints;

namespace Recall.Representations;

/// <summary>A linear layer of a block.</summary>
/// <param name="Name">Its name within the block: <c>self_attn.q_proj</c>.</param>
/// <param name="Outputs">Values that it gives.</param>
/// <param name="Inputs">Values that it reads.</param>
/// <param name="Bias">Whether it has a bias.</param>
public readonly record struct BlockLinear(string Name, int Outputs, int Inputs, bool Bias)
{
    /// <summary>Its weight as the layer computes with it: [out, in].</summary>
    public Shape Shape => new(Outputs, Inputs);

    /// <summary>The tensor that holds its weight, by its name within the block.</summary>
    public string Tensor => Stack ?? Name + ".weight";

    /// <summary>The name of its bias.</summary>
    public string BiasName => Name + ".bias";

    /// <summary>The weight is stored [in, out] (Conv1D of transformers).</summary>
    public bool Transposed { get; init; }

    /// <summary>A tensor in which the weights of several layers are stacked, [layers, out, in]; null: it has one of its own.</summary>
    public string? Stack { get; init; }

    /// <summary>How many are stacked.</summary>
    public int StackHeight { get; init; }

    /// <summary>Its place in the stack.</summary>
    public int StackIndex { get; init; }

    /// <summary>The shape of <see cref="Tensor"/>.</summary>
    public Shape StoredShape => Stack is not null ? new(StackHeight, Outputs, Inputs) : Transposed ? new(Inputs, Outputs) : Shape;
}
