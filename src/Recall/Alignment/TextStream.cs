using System.Runtime.InteropServices;
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
    Tensor[] _hidden = [], _inputs = [];    // [B, T, d] and [B, T, in], a batch each
    Block? _block;

    /// <summary>The texts.</summary>
    public TextSet Texts => texts;

    /// <summary>What the linear layers of the step that comes next read, batch by batch: [B, T, in].</summary>
    public IReadOnlyList<Tensor> Inputs => _inputs;

    /// <summary>Looks the tokens up in an embedding, of which only their rows are read.</summary>
    public void Embed(TensorSource embedding, TileReader reader)
    {
        int size = (int)embedding.Shape.RowLength;
        var rows = new Dictionary<long, float[]>();
        reader.BeginTensor();
        foreach (long id in texts.Batches.SelectMany(batch => batch.Ids.data<long>()).Distinct().Order())
        {
            reader.Begin(size);
            var row = new float[size];
            embedding.Read(reader, id * size, row);
            rows.Add(id, row);
        }
        Replace(ref _hidden, Each(batch => Embed(texts.Batches[batch], rows, size)));
    }

    static Tensor Embed(TokenBatch batch, Dictionary<long, float[]> rows, int size)
    {
        var states = empty([.. batch.Ids.shape, size], ScalarType.Float32);
        var values = MemoryMarshal.Cast<byte, float>(states.bytes);
        int at = 0;
        foreach (long id in batch.Ids.data<long>())
        {
            rows[id].CopyTo(values[at..]);
            at += size;
        }
        return states;
    }

    /// <summary>Goes on from where another stream of the same texts stands.</summary>
    public void StartFrom(TextStream other) => Replace(ref _hidden, Each(batch => other._hidden[batch].clone()));

    /// <summary>Begins a block: its norms and biases are used, its linear layers are given step by step.</summary>
    public void Begin(Block block)
    {
        _block = block;
        Replace(ref _inputs, Each(batch => block.AttentionInput(_hidden[batch])));
    }

    /// <summary>Goes through the linear layers of a step, and to what the next one reads.</summary>
    public void Next(LayerStep step, StreamLinear linear)
    {
        var block = _block ?? throw new InvalidOperationException("no block has begun");
        Tensor Output(int batch, string name) => WithBias(block, name, linear(batch, name, _inputs[batch]));
        switch (step.Input)
        {
            case "attention.in":
                Replace(ref _inputs, Each(batch => block.Attention(
                    Output(batch, step.Linears[0]), Output(batch, step.Linears[1]), Output(batch, step.Linears[2]),
                        texts.Contexts[batch])));
                break;
            case "attention.out":
                Replace(ref _hidden, Each(batch => _hidden[batch].Plus(Output(batch, step.Linears[0]))));
                Replace(ref _inputs, Each(batch => block.MlpInput(_hidden[batch])));
                break;
            case "mlp.in":
                Replace(ref _inputs, Each(batch => block.Activate(Output(batch, step.Linears[0]), Output(batch, step.Linears[1]))));
                break;
            default:
                Replace(ref _hidden, Each(batch => _hidden[batch].Plus(Output(batch, step.Linears[0]))));
                Replace(ref _inputs, []);
                break;
        }
    }

    /// <summary>After the last block: what the head reads.</summary>
    public void Normalize(Tensor norm, double epsilon) => Replace(ref _inputs, Each(batch => Block.RmsNorm(_hidden[batch], norm, epsilon)));

    /// <summary>x Wᵀ in the type of the weight; the result in float32.</summary>
    public static Tensor Product(Tensor input, Tensor weight)
    {
        // [B, T, in], [out, in] → [B, T, out]
        if (input.dtype == weight.dtype) return nn.functional.linear(input, weight);
        using var scope = NewDisposeScope();
        return nn.functional.linear(input.to_type(weight.dtype), weight).to_type(input.dtype).MoveToOuterDisposeScope();
    }

    Tensor[] Each(Func<int, Tensor> make)
    {
        var made = new Tensor[texts.Batches.Length];
        for (int batch = 0; batch < made.Length; batch++)
        {
            using var scope = NewDisposeScope();
            made[batch] = onDisk ? MappedTensor.Of(make(batch)) : make(batch).DetachFromDisposeScope();
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
    }
}
