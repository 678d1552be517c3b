using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>A mixture of experts in a stream of texts, between its router and its last expert; over real tokens only.</summary>
sealed class MixtureStream : IDisposable
{
    readonly TextSet _texts;
    readonly MixtureOptions _mixture;
    readonly Tensor[] _inputs;          // what the experts read: [tokens, d], a batch each
    readonly Tensor[][] _shared;        // gate, and what the shared MLP's first layers give
    IReadOnlyList<Tensor> _tokens = [];
    int _expert = -1;

    /// <summary>After the router's step: what it read and what its layers gave.</summary>
    public MixtureStream(TextSet texts, MixtureOptions mixture, IReadOnlyList<(Tensor Input, Tensor[] Outputs)> passed)
    {
        (_texts, _mixture) = (texts, mixture);
        using var scope = NewDisposeScope();
        _inputs = [.. passed.Select((each, batch) => texts.All.Rows(batch, each.Input).clone().DetachFromDisposeScope())];
        Sums = [.. _inputs.Select(input => zeros_like(input).DetachFromDisposeScope())];
        Routing = [.. passed.Select((each, batch) => MixtureRouting.Of(mixture, texts.All.Rows(batch, each.Outputs[0])))];
        foreach (var routing in Routing) routing.Weights.DetachFromDisposeScope();
        _shared = [.. passed.Select(each => each.Outputs[1..])];
        foreach (var output in _shared.SelectMany(outputs => outputs)) output.DetachFromDisposeScope();
    }

    /// <summary>Which tokens go to which expert, batch by batch.</summary>
    public IReadOnlyList<MixtureRouting> Routing { get; }

    /// <summary>What the mixture gives, as far as it is computed: [tokens, d], a batch each.</summary>
    public IReadOnlyList<Tensor> Sums { get; }

    /// <summary>What the shared MLP's output layer reads; nothing where there is none.</summary>
    public Tensor SharedInput(Block block, int batch) =>
        _shared[batch].Length == 0 ? empty(0) : block.Activate(_shared[batch][1..]);

    /// <summary>Adds what the shared MLP gives.</summary>
    public void AddShared(int batch, Tensor output) =>
        Sums[batch].AddIn(_texts.All.Rows(batch, MixtureRouting.Gated(output, _shared[batch][0])));

    /// <summary>Begins an expert on these tokens.</summary>
    public void Begin(int expert, IReadOnlyList<Tensor> tokens)
    {
        foreach (var before in _tokens) before.Dispose();
        (_expert, _tokens) = (expert, [.. tokens.Select(chosen => chosen.alias().DetachFromDisposeScope())]);
    }

    /// <summary>The rows of the expert's tokens.</summary>
    public Tensor Rows(int batch) => _inputs[batch].index_select(0, _tokens[batch]);

    /// <summary>Adds what the expert gives, by its weight at each token.</summary>
    public void Add(int batch, Tensor output) =>
        Sums[batch].index_add_(0, _tokens[batch], output * Routing[batch].WeightsOf(_expert, _tokens[batch]), One);

    static readonly TorchSharp.Scalar One = 1;

    /// <summary>Whether no expert follows.</summary>
    public bool IsLast(int expert) => expert == _mixture.Experts - 1;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _inputs.Concat(Sums).Concat(_tokens).Concat(_shared.SelectMany(outputs => outputs))) tensor.Dispose();
        foreach (var routing in Routing) routing.Weights.Dispose();
    }
}
