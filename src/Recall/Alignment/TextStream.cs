using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Computes a linear layer in a stream: the batch's number, the layer's name within the block, its input [B, T, in] give its output.
/// </summary>
delegate Tensor StreamLinear(int batch, string name, Tensor input);

/// <summary>
/// The hidden states of one set of texts in one model, moved up step by step: what each step's linear layers read is at hand before they
/// are computed.
/// </summary>
/// <param name="texts">The texts.</param>
/// <param name="onDisk">States and inputs lie in temporary files, of which the memory holds what it has room for.</param>
sealed class TextStream(TextSet texts, bool onDisk) : IDisposable
{
    Tensor[] _hidden = [], _inputs = [];    // [B, T, d] and [B, T, in], or [tokens, in] of an expert; a batch each
    Block? _block;
    MixtureStream? _mixture;

    /// <summary>The texts.</summary>
    public TextSet Texts => texts;

    /// <summary>What the linear layers of the step that comes next read, batch by batch: [B, T, in]; of an expert [tokens, in].</summary>
    public IReadOnlyList<Tensor> Inputs => _inputs;

    /// <summary>Which tokens go to which expert, batch by batch: within the experts of a block.</summary>
    public IReadOnlyList<MixtureRouting> Routing => (_mixture ?? throw new InvalidOperationException("no router has been passed")).Routing;

    /// <summary>Looks the tokens up in a model's embedding, of which only their rows are read.</summary>
    public void Embed(Checkpoint model, BlockOptions options, TileReader reader)
    {
        var embedding = new TokenEmbedding(model, options, texts.Batches, reader);
        Replace(ref _hidden, Each(batch => embedding.Of(texts.Batches[batch], ScalarType.Float32)));
    }

    /// <summary>Goes on from where another stream of the same texts stands.</summary>
    public void StartFrom(TextStream other) => Replace(ref _hidden, Each(batch => other._hidden[batch].clone()));

    /// <summary>Begins a block: its norms and biases are used, its linear layers are given step by step.</summary>
    public void Begin(Block block)
    {
        _block = block;
        _mixture?.Dispose();
        _mixture = null;
        Replace(ref _inputs, Each(batch => block.AttentionInput(_hidden[batch])));
    }

    /// <summary>Begins an expert: its layers read the rows of these tokens, numbered among the real ones.</summary>
    public void Begin(int expert, IReadOnlyList<Tensor> tokens)
    {
        _mixture!.Begin(expert, tokens);
        Replace(ref _inputs, Each(_mixture.Rows));
    }

    /// <summary>Goes through the linear layers of a step, and to what the next one reads.</summary>
    public void Next(LayerStep step, StreamLinear linear)
    {
        var block = _block ?? throw new InvalidOperationException("no block has begun");
        Tensor Output(int batch, int number) => WithBias(block, step.Linears[number].Linear, linear(batch, step.Linears[number].Linear, _inputs[batch]));
        Tensor[] Outputs(int batch) => [.. Enumerable.Range(0, step.Linears.Length).Select(number => Output(batch, number))];
        switch (step.Kind)
        {
            case StepKind.Attention:
                Replace(ref _inputs, Each(batch => block.Attention(Outputs(batch), texts.Contexts[batch])));
                break;
            case StepKind.Output:
                var before = _hidden;
                _hidden = Each(batch => before[batch].Plus(block.AttentionOutput(Output(batch, 0))));
                Replace(ref _inputs, Each(batch => block.MlpInput(block.Options.Parallel ? before[batch] : _hidden[batch])));
                Replace(ref before, []);
                break;
            case StepKind.Mlp or StepKind.Expert:
                Replace(ref _inputs, Each(batch => block.Activate(Outputs(batch))));
                break;
            case StepKind.Down:
                End(batch => Output(batch, 0));
                break;
            case StepKind.Router:
                using (NewDisposeScope())
                    _mixture = new MixtureStream(texts, block.Options.Kinds[step.Layer].Mixture!,
                        [.. _inputs.Select((input, batch) => (input, Outputs(batch)))]);
                Replace(ref _inputs, Each(batch => _mixture.SharedInput(block, batch)));
                break;
            case StepKind.SharedDown:
                Each(batch => _mixture!.AddShared(batch, Output(batch, 0)));
                break;
            default:
                Each(batch => _mixture!.Add(batch, Output(batch, 0)));
                if (_mixture!.IsLast(step.Expert)) End(batch => texts.Whole(batch, _mixture.Sums[batch]));
                break;
        }

        void End(Func<int, Tensor> given)
        {
            Replace(ref _hidden, Each(batch => _hidden[batch].Plus(block.MlpOutput(given(batch)))));
            Replace(ref _inputs, []);
        }
    }

    /// <summary>After the last block: what the head reads.</summary>
    public void Normalize(ModelHead head) => Replace(ref _inputs, Each(batch => head.Normalize(_hidden[batch])));

    /// <summary>x Wᵀ in the type of the weight; the result in float32.</summary>
    public static Tensor Product(Tensor input, Tensor weight)
    {
        // [..., in], [out, in] → [..., out]
        if (input.dtype == weight.dtype) return nn.functional.linear(input, weight);
        using var scope = NewDisposeScope();
        return nn.functional.linear(input.to_type(weight.dtype), weight).to_type(input.dtype).MoveToOuterDisposeScope();
    }

    void Each(Action<int> work)
    {
        for (int batch = 0; batch < texts.Batches.Length; batch++)
        {
            using var scope = NewDisposeScope();
            work(batch);
        }
    }

    Tensor[] Each(Func<int, Tensor> make)
    {
        var made = new Tensor[texts.Batches.Length];
        for (int batch = 0; batch < made.Length; batch++)
        {
            using var scope = NewDisposeScope();
            var values = make(batch);
            made[batch] = onDisk && values.numel() > 0 ? MappedTensor.Of(values) : values.DetachFromDisposeScope();
        }
        return made;
    }

    static Tensor WithBias(Block block, string name, Tensor output) =>
        block.Weights.GetValueOrDefault(name + ".bias") is { } bias ? output.Plus(bias) : output;

    static void Replace(ref Tensor[] held, Tensor[] next)
    {
        foreach (var tensor in held) tensor.Dispose();
        held = next;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Replace(ref _hidden, []);
        Replace(ref _inputs, []);
        _mixture?.Dispose();
    }
}
