using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>Rotary positions (arXiv 2104.09864) of the tokens of one batch.</summary>
sealed class Rotation : IDisposable
{
    readonly RopeOptions _rope;
    readonly Tensor _cosine, _sine, _negativeSine;      // [B or 1, 1, T, Dim], and of the sines [.., Dim/2]

    /// <summary>Prepares.</summary>
    /// <param name="rope">Angles.</param>
    /// <param name="positions">Position of each token: [B or 1, T].</param>
    /// <param name="length">Tokens of the whole text, on which some angles depend.</param>
    /// <param name="type">Type of the heads.</param>
    public Rotation(RopeOptions rope, Tensor positions, long length, ScalarType type)
    {
        _rope = rope;
        using var scope = NewDisposeScope();
        var frequencies = tensor(rope.Frequencies(length)).to_type(ScalarType.Float32);
        var angles = (positions.to_type(ScalarType.Float32).unsqueeze(-1) * frequencies).unsqueeze(1);
        var cosine = angles.cos().Times(rope.AttentionFactor).to_type(type);
        _cosine = (rope.Interleaved ? cosine.repeat_interleave(2, dim: -1) : cat([cosine, cosine], -1)).DetachFromDisposeScope();
        _sine = angles.sin().Times(rope.AttentionFactor).to_type(type).DetachFromDisposeScope();
        _negativeSine = _sine.neg().DetachFromDisposeScope();
    }

    /// <summary>Turns the first values of each head.</summary>
    public Tensor Apply(Tensor heads)
    {
        // [B, H, T, D] → [B, H, T, D]
        long rest = heads.shape[3] - _rope.Dim;
        if (rest == 0) return Turn(heads);
        using var scope = NewDisposeScope();
        return cat([Turn(heads.narrow(3, 0, _rope.Dim)), heads.narrow(3, _rope.Dim, rest)], -1).MoveToOuterDisposeScope();
    }

    Tensor Turn(Tensor x)
    {
        // Value i turns with value i + half, or 2i with 2i + 1.
        var rotated = x * _cosine;
        var ((fromFirst, fromSecond), (first, second)) = (Halves(x), Halves(rotated));
        first.AddProduct(fromSecond, _negativeSine);
        second.AddProduct(fromFirst, _sine);
        return rotated;
    }

    (Tensor First, Tensor Second) Halves(Tensor x)
    {
        // [B, H, T, Dim] → [B, H, T, Dim/2] twice, views
        long half = _rope.Dim / 2;
        if (!_rope.Interleaved) return (x.narrow(3, 0, half), x.narrow(3, half, half));
        var pairs = x.unflatten(3, half, 2);
        return (pairs.select(4, 0), pairs.select(4, 1));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cosine.Dispose();
        _sine.Dispose();
        _negativeSine.Dispose();
    }
}
