using System.Collections.Immutable;
using Recall.Checkpoints;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>What follows the last block: its norm, and the scores of tokens.</summary>
/// <param name="options">Sizes and kinds.</param>
/// <param name="weights">The tensors of the norm and the head's bias, by their names in the checkpoint; others may be among them.</param>
sealed class ModelHead(BlockOptions options, IReadOnlyDictionary<string, Tensor> weights) : IDisposable
{
    /// <summary>Reads norm and bias; the head's weight, which is large, is given part by part.</summary>
    public static ModelHead Read(Checkpoint checkpoint, BlockOptions options, ScalarType type, TileReader reader)
    {
        var tensors = options.FinalNormTensors();
        if (options.Traits.HeadBias) tensors = tensors.Append((options.HeadBias, new Shape(options.VocabularySize)));
        return new ModelHead(options, tensors.ToImmutableDictionary(
            tensor => tensor.Name, tensor => checkpoint.Read(tensor.Name, tensor.Shape, type, reader)));
    }

    /// <summary>The final norm of the last block's output.</summary>
    public Tensor Normalize(Tensor hidden)
    {
        // [..., d] → [..., d]
        var own = options.FinalNormTensors().Select(tensor => weights[tensor.Name]).ToList();
        return options.Names.FinalNorm.Length == 0 && !options.Norm.Bare ? hidden.alias()
            : options.Norm.Apply(hidden, own.ElementAtOrDefault(0), own.ElementAtOrDefault(1));
    }

    /// <summary>Scores of some tokens, from normalised states and the head's rows of these tokens.</summary>
    public Tensor Scores(Tensor normed, Tensor rows, long first = 0)
    {
        // [..., d], [tokens, d] → [..., tokens]
        using var scope = NewDisposeScope();
        var bias = options.Traits.HeadBias ? weights[options.HeadBias].narrow(0, first, rows.shape[0]) : null;
        var scores = nn.functional.linear(normed, rows, bias);
        if (options.LogitScale != 1) scores = scores.Times(options.LogitScale);
        if (options.LogitCap is > 0 and var cap) scores = scores.Times(1 / cap).tanh().Times(cap);
        return scores.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in weights.Values) tensor.Dispose();
    }
}
