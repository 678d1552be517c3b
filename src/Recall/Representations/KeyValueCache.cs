using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>Keys and values of the tokens so far, layer by layer, so that generation computes each token once.</summary>
public sealed class KeyValueCache : IDisposable
{
    readonly Tensor[] _keys, _values;   // [B, key-value heads, capacity, D]

    /// <summary>An empty cache for so many rows. It has room for so many tokens, and grows when more come.</summary>
    public KeyValueCache(BlockOptions options, long rows, long capacity = 256, ScalarType type = ScalarType.Float32)
    {
        long[] shape = [rows, options.KeyValueHeads, Math.Max(capacity, 1), options.HeadDim];
        _keys = [.. Enumerable.Range(0, options.Layers).Select(_ => zeros(shape, type).DetachFromDisposeScope())];
        _values = [.. Enumerable.Range(0, options.Layers).Select(_ => zeros(shape, type).DetachFromDisposeScope())];
    }

    /// <summary>Tokens held.</summary>
    public long Length { get; private set; }

    /// <summary>
    /// Adds the new tokens' keys and values of a layer and gives those of all tokens; <see cref="Advance"/> counts them once all layers
    /// have.
    /// </summary>
    public (Tensor Keys, Tensor Values) Extend(int layer, Tensor keys, Tensor values)
    {
        // [B, key-value heads, T, D] twice → [B, key-value heads, length + T, D] twice
        long added = keys.shape[2];
        if (Length + added > _keys[layer].shape[2])
            (_keys[layer], _values[layer]) = (Grown(_keys[layer], added), Grown(_values[layer], added));
        _keys[layer].narrow(2, Length, added).copy_(keys);
        _values[layer].narrow(2, Length, added).copy_(values);
        return (_keys[layer].narrow(2, 0, Length + added), _values[layer].narrow(2, 0, Length + added));
    }

    Tensor Grown(Tensor held, long added)
    {
        // [B, key-value heads, capacity, D] → the same with at least twice the capacity
        var shape = held.shape;
        shape[2] = Math.Max(2 * shape[2], Length + added);
        var grown = zeros(shape, held.dtype).DetachFromDisposeScope();
        grown.narrow(2, 0, Length).copy_(held.narrow(2, 0, Length));
        held.Dispose();
        return grown;
    }

    /// <summary>Counts tokens that all layers have added.</summary>
    public void Advance(long tokens) => Length += tokens;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _keys.Concat(_values)) tensor.Dispose();
    }
}
