using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Architectures;

namespace Recall.Representations;

/// <summary>The function between the two halves of an MLP.</summary>
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
    /// <summary>max(x, 0)².</summary>
    ReluSquared,
}

/// <summary>What sets one layer apart from another.</summary>
/// <param name="Window">The tokens it sees, itself included; null: all before.</param>
/// <param name="Rope">Its rotary positions; null: none.</param>
/// <param name="Mixture">Experts in place of the MLP; null: none.</param>
public sealed record LayerKind(int? Window, RopeOptions? Rope, MixtureOptions? Mixture);

/// <summary>
/// Everything that the forward pass of a decoder needs to know, from its config.json: which of the family's kinds of norms, projections,
/// positions and MLPs it has, and their sizes.
/// </summary>
public sealed record BlockOptions
{
    /// <summary>Values of a hidden state (d).</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Heads of the queries (H).</summary>
    public required int Heads { get; init; }

    /// <summary>Heads of keys and values; divides <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Values of a head (D).</summary>
    public required int HeadDim { get; init; }

    /// <summary>Values between the two halves of the MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Tokens of the vocabulary (V).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Positions the model was made for; longer texts are computed all the same, unless the positions are a table.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>The kind of all norms.</summary>
    public required NormOptions Norm { get; init; }

    /// <summary>The MLP's function.</summary>
    public Activation Activation { get; init; }

    /// <summary>Bias on queries, keys and values.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Bias on the attention's output.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Biases in the MLP.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Attention and MLP read the same hidden state.</summary>
    public bool Parallel { get; init; }

    /// <summary>Scores of the attention are multiplied by it; null: 1/√D.</summary>
    public double? AttentionScale { get; init; }

    /// <summary>Scores of the attention are c·tanh(s/c); 0: as they are.</summary>
    public double AttentionCap { get; init; }

    /// <summary>Queries, keys and values are clipped to ± this; 0: not.</summary>
    public double ClipQueryKeyValue { get; init; }

    /// <summary>Embeddings are multiplied by it.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>What attention and MLP give is multiplied by it.</summary>
    public double ResidualScale { get; init; } = 1;

    /// <summary>Logits are multiplied by it.</summary>
    public double LogitScale { get; init; } = 1;

    /// <summary>Logits are c·tanh(l/c); 0: as they are.</summary>
    public double LogitCap { get; init; }

    /// <summary>The layers, from the bottom.</summary>
    public required ImmutableArray<LayerKind> Kinds { get; init; }

    /// <summary>Whether the head is the embedding.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Names of the tensors outside the blocks, and the prefix of those within.</summary>
    public required Architecture Names { get; init; }

    /// <summary>Names of the tensors within the blocks, and kinds that are the family's, whatever the sizes.</summary>
    public BlockTraits Traits => Names.Block!;

    /// <summary>Number of blocks (L).</summary>
    public int Layers => Kinds.Length;

    /// <summary>The linear layers of queries, keys and values: three, or one fused.</summary>
    public ImmutableArray<BlockLinear> QueryKeyValue
    {
        get
        {
            int queries = Heads * HeadDim, keys = KeyValueHeads * HeadDim;
            return Traits.QueryKeyValue is [var fused]
                ? [Linear(fused, queries + 2 * keys, HiddenSize, QueryKeyValueBias)]
                : [.. Traits.QueryKeyValue.Select((name, i) => Linear(name, i == 0 ? queries : keys, HiddenSize, QueryKeyValueBias))];
        }
    }

    /// <summary>The attention's output layer.</summary>
    public BlockLinear Output => Linear(Traits.Output, HiddenSize, Heads * HeadDim, OutputBias);

    /// <summary>The MLP's layers that read its input: gate and up, both fused, or up alone.</summary>
    public ImmutableArray<BlockLinear> GateUp => [.. Traits.GateUp.Select(name =>
        Linear(name, Traits.Gated && Traits.GateUp.Length == 1 ? 2 * IntermediateSize : IntermediateSize, HiddenSize, MlpBias))];

    /// <summary>The MLP's output layer.</summary>
    public BlockLinear Down => Linear(Traits.Down, HiddenSize, IntermediateSize, MlpBias);

    BlockLinear Linear(string name, int outputs, int inputs, bool bias) => new(name, outputs, inputs, bias) { Transposed = Traits.StoredTransposed };

    /// <summary>The linear layers of a block, in order of use.</summary>
    public IEnumerable<BlockLinear> Linears(int layer)
    {
        var attention = QueryKeyValue.Append(Output);
        if (Kinds[layer].Mixture is not { } mixture) return [.. attention, .. GateUp, Down];
        var shared = mixture.Shared.Length == 0 ? [] : new[] { mixture.SharedDown(HiddenSize) };
        return
        [
            .. attention, .. mixture.Before(HiddenSize), .. shared,
            .. Enumerable.Range(0, mixture.Experts).SelectMany(expert =>
                mixture.GateUpOf(expert, HiddenSize).Append(mixture.DownOf(expert, HiddenSize))),
        ];
    }

    /// <summary>Every tensor of a block: its name within the layer (<c>self_attn.q_proj.weight</c>) and its shape in a checkpoint.</summary>
    public IEnumerable<(string Name, Shape Shape)> LayerTensors(int layer)
    {
        foreach (string norm in new[] { Traits.AttentionNorm, Traits.AttentionPostNorm, Traits.MlpNorm, Traits.MlpPostNorm }.Distinct())
            foreach (var tensor in Norm.Tensors(norm, HiddenSize)) yield return tensor;
        foreach (var linear in Linears(layer))
        {
            if (linear.StackIndex == 0) yield return (linear.Tensor, linear.StoredShape);
            if (linear.Bias) yield return (linear.BiasName, new Shape(linear.Outputs));
        }
        if (Traits.QueryKeyNorm == QueryKeyNorm.None) yield break;
        bool whole = Traits.QueryKeyNorm == QueryKeyNorm.Whole;
        foreach (var tensor in Norm.Tensors(Traits.QueryKeyNorms.Query, whole ? Heads * HeadDim : HeadDim)) yield return tensor;
        foreach (var tensor in Norm.Tensors(Traits.QueryKeyNorms.Key, whole ? KeyValueHeads * HeadDim : HeadDim)) yield return tensor;
    }

    /// <summary>Every tensor outside the blocks: embedding, positions, final norm, head.</summary>
    public IEnumerable<(string Name, Shape Shape)> OuterTensors()
    {
        yield return (Names.Embedding, EmbeddingShape);
        if (HasPositionTable) yield return (Names.Positions, PositionShape);
        foreach (var tensor in FinalNormTensors()) yield return tensor;
        if (!TiedEmbeddings) yield return (Names.Head, EmbeddingShape);
        if (Traits.HeadBias) yield return (HeadBias, new Shape(VocabularySize));
    }

    /// <summary>Weight and bias of the norm after the last block.</summary>
    public IEnumerable<(string Name, Shape Shape)> FinalNormTensors() =>
        Norm.Tensors(Names.FinalNorm.EndsWith(".weight", StringComparison.Ordinal) ? Names.FinalNorm[..^".weight".Length] : "", HiddenSize);

    /// <summary>[vocabulary, hidden].</summary>
    public Shape EmbeddingShape => new(VocabularySize, HiddenSize);

    /// <summary>Whether positions are a table of rows that are added to the embeddings.</summary>
    public bool HasPositionTable => Names.Positions.Length > 0;

    /// <summary>[positions, hidden].</summary>
    public Shape PositionShape => new(MaxPositions + Traits.PositionOffset, HiddenSize);

    /// <summary>The name of the head's weight: its own, or the embedding.</summary>
    public string HeadWeight => TiedEmbeddings ? Names.Embedding : Names.Head;

    /// <summary>The name of the head's bias.</summary>
    public string HeadBias => Names.Head[..^"weight".Length] + "bias";

    /// <summary>A tensor of the blocks that has another shape in another model of as many layers, or is in one of the two only.</summary>
    internal (string? Name, Shape Shape) DifferenceFrom(BlockOptions other) => Enumerable.Range(0, Layers)
        .SelectMany(layer => LayerTensors(layer).Except(other.LayerTensors(layer)).Concat(other.LayerTensors(layer).Except(LayerTensors(layer))))
        .FirstOrDefault();

    /// <summary>Whether another model of as many layers turns positions and looks back in the same way.</summary>
    internal bool SamePositions(BlockOptions other) => (AttentionScale, AttentionCap) == (other.AttentionScale, other.AttentionCap)
        && Kinds.Select(kind => kind.Rope).SequenceEqual(other.Kinds.Select(kind => kind.Rope));

    /// <summary>The full name of a layer's tensor in a checkpoint.</summary>
    public string NameOf(int layer, string tensor) => Names.LayerTensor(layer, tensor);

    /// <summary>Reads the options of a model.</summary>
    /// <exception cref="RecallException">A family without forward pass, or values that make no model.</exception>
    public static BlockOptions Read(Checkpoint checkpoint) => BlockOptionsReader.Read(
        new ModelConfig(checkpoint.Config, $"{checkpoint.Path}: config.json: "), name => checkpoint.Find(name) is not null,
        [.. checkpoint.Tensors.Select(tensor => tensor.Name)]);

    /// <summary>
    /// Reads the options from the content of a config.json; <paramref name="where"/>, the model's path, stands in messages. Names are those
    /// of published checkpoints.
    /// </summary>
    /// <exception cref="RecallException">A family without forward pass, or values that make no model.</exception>
    public static BlockOptions Read(JsonObject config, string where) =>
        BlockOptionsReader.Read(new ModelConfig(config, $"{where}: config.json: "), _ => false, []);
}
