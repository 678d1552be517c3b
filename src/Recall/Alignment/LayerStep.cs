using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Representations;

namespace Recall.Alignment;

/// <summary>Linear layers of a block that read the same input: they share statistics and factorisation.</summary>
/// <param name="Input">What they read: <c>attention.in</c>, <c>attention.out</c>, <c>mlp.in</c>, <c>mlp.down</c>.</param>
/// <param name="Linears">The layers, by their names within the block.</param>
sealed record LayerStep(string Input, ImmutableArray<string> Linears)
{
    /// <summary>The input of the head.</summary>
    public const string HeadInput = "head";

    /// <summary>The four steps of a block, in the order of the forward pass.</summary>
    public static readonly ImmutableArray<LayerStep> All =
    [
        new("attention.in", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
        new("attention.out", ["self_attn.o_proj"]),
        new("mlp.in", ["mlp.gate_proj", "mlp.up_proj"]),
        new("mlp.down", ["mlp.down_proj"]),
    ];

    /// <summary>Shape of a linear layer's weight.</summary>
    public static Shape ShapeOf(BlockOptions options, string linear)
    {
        var (_, outputs, inputs, _) = options.Linears.First(each => each.Name == linear);
        return new Shape(outputs, inputs);
    }

    /// <summary>Values of the input at one token.</summary>
    public int Inputs(BlockOptions options) => (int)ShapeOf(options, Linears[0])[1];

    /// <summary>
    /// Every input of a model with its name in a card and its size, from the bottom up; of the head where it is not the embedding.
    /// </summary>
    public static IEnumerable<(string Name, int Size)> InputsOf(BlockOptions options)
    {
        for (int layer = 0; layer < options.Layers; layer++)
            foreach (var step in All) yield return (NameOf(layer, step.Input), step.Inputs(options));
        if (!options.TiedEmbeddings) yield return (HeadInput, options.HiddenSize);
    }

    /// <summary>The name of an input in a card.</summary>
    public static string NameOf(int layer, string input) => $"layers.{layer}.{input}";
}
