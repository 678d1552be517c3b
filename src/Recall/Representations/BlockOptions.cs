using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Architectures;

namespace Recall.Representations;

/// <summary>The function between the two halves of a gated MLP.</summary>
public enum Activation
{
    /// <summary>x · sigmoid(x).</summary>
    Silu,
    /// <summary>x · Φ(x), exact.</summary>
    Gelu,
    /// <summary>GELU with its tanh approximation.</summary>
    GeluTanh,
    /// <summary>max(x, 0).</summary>
    Relu,
}

/// <summary>Everything that the forward pass of a Llama-type model needs to know, from its config.json.</summary>
public sealed record BlockOptions
{
    /// <summary>Values of a hidden state (d).</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Heads of the queries (H).</summary>
    public required int Heads { get; init; }

    /// <summary>Heads of keys and values; divides <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Values of a head (D), even.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Values between the two halves of the MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Tokens of the vocabulary (V).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Positions the model was made for; longer texts are computed all the same.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Added to the mean square in RMSNorm.</summary>
    public required double NormEpsilon { get; init; }

    /// <summary>The MLP's function.</summary>
    public Activation Activation { get; init; }

    /// <summary>Rotary positions.</summary>
    public RopeOptions Rope { get; init; } = new();

    /// <summary>Bias on queries, keys and values.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Bias on the attention's output.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Biases in the MLP.</summary>
    public bool MlpBias { get; init; }

    /// <summary>RMSNorm over each head of queries and keys.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>For each layer: the tokens it sees, itself included; null: all before.</summary>
    public required ImmutableArray<int?> Windows { get; init; }

    /// <summary>Whether the head is the embedding.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Names of the tensors outside the blocks, and the prefix of those within.</summary>
    public required Architecture Names { get; init; }

    /// <summary>Number of blocks.</summary>
    public int Layers => Windows.Length;

    /// <summary>The linear layers of a block, in order of use, as (name, outputs, inputs, bias).</summary>
    public ImmutableArray<(string Name, int Outputs, int Inputs, bool Bias)> Linears =>
    [
        ("self_attn.q_proj", Heads * HeadDim, HiddenSize, QueryKeyValueBias),
        ("self_attn.k_proj", KeyValueHeads * HeadDim, HiddenSize, QueryKeyValueBias),
        ("self_attn.v_proj", KeyValueHeads * HeadDim, HiddenSize, QueryKeyValueBias),
        ("self_attn.o_proj", HiddenSize, Heads * HeadDim, OutputBias),
        ("mlp.gate_proj", IntermediateSize, HiddenSize, MlpBias),
        ("mlp.up_proj", IntermediateSize, HiddenSize, MlpBias),
        ("mlp.down_proj", HiddenSize, IntermediateSize, MlpBias),
    ];

    /// <summary>Every tensor of a block: its name within the layer (<c>self_attn.q_proj.weight</c>) and its shape.</summary>
    public IEnumerable<(string Name, Shape Shape)> LayerTensors()
    {
        yield return ("input_layernorm.weight", new Shape(HiddenSize));
        foreach (var (name, outputs, inputs, bias) in Linears)
        {
            yield return (name + ".weight", new Shape(outputs, inputs));
            if (bias) yield return (name + ".bias", new Shape(outputs));
        }
        if (QueryKeyNorm) yield return ("self_attn.q_norm.weight", new Shape(HeadDim));
        if (QueryKeyNorm) yield return ("self_attn.k_norm.weight", new Shape(HeadDim));
        yield return ("post_attention_layernorm.weight", new Shape(HiddenSize));
    }

    /// <summary>The full name of a layer's tensor in a checkpoint.</summary>
    public string NameOf(int layer, string tensor) => Names.LayerTensor(layer, tensor);

    /// <summary>Reads the options of a model.</summary>
    /// <exception cref="RecallException">A family without forward pass, or values that make no model.</exception>
    public static BlockOptions Read(Checkpoint checkpoint) => Read(checkpoint.Config, checkpoint.Path);

    /// <summary>
    /// Reads the options from the content of a config.json; <paramref name="where"/>, the model's path, stands in messages.
    /// </summary>
    /// <exception cref="RecallException">A family without forward pass, or values that make no model.</exception>
    public static BlockOptions Read(JsonObject config, string where) =>
        BlockOptionsReader.Read(new ModelConfig(config, $"{where}: config.json: "));
}
