using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>A tensor of the output: of what it is made, how, and where it goes.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="DType">Its type.</param>
/// <param name="Sources">The tensors that it is made of, in the order of <see cref="TensorInputs.Models"/>.</param>
/// <param name="Method">The method that merges them.</param>
/// <param name="Inputs">The method's view: models and parameter values.</param>
public sealed record OutputTensor(
    string Name, Shape Shape, DType DType, ImmutableArray<TensorSource> Sources, MergeMethod Method, TensorInputs Inputs)
{
    /// <summary>
    /// Whose layer weights it takes in a merge by representations: 0 the embedding output's, l that of block l (from 1); −1: the mean over layers.
    /// </summary>
    public int WeightLayer { get; init; } = -1;

    /// <summary>The stored tensor whose bytes are the output's bytes, where there is one.</summary>
    public StoredTensor? Copied { get; init; }

    /// <summary>Which output file, from 0.</summary>
    public int Shard { get; init; }

    /// <summary>Where its bytes begin in the file.</summary>
    public long Offset { get; init; }

    /// <summary>The state of its merge; with the layer weights of a merge by representations where there are any.</summary>
    /// <param name="weighting">How layer weights are used, or null.</param>
    /// <param name="weights">The weights of <see cref="WeightLayer"/>; null: all the same.</param>
    public TensorMerge Merge(LayerWeighting? weighting, ImmutableArray<double>? weights) =>
        Method.Prepare(weighting is null ? Inputs : weighting.Apply(Inputs, weights ?? weighting.Uniform));

    /// <summary>Its bytes in the file.</summary>
    public long Length => PlainEncoding.Of(DType).Bytes(Shape.Elements);
}

/// <summary>A file of the output.</summary>
/// <param name="Name">Its name: <c>model.safetensors</c>, or <c>model-00001-of-00003.safetensors</c>.</param>
/// <param name="Header">The first bytes.</param>
/// <param name="Length">All bytes.</param>
public sealed record OutputShard(string Name, ReadOnlyMemory<byte> Header, long Length);
