using Recall.Checkpoints;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>How a model normalises: RMSNorm (arXiv 1910.07467) or LayerNorm (arXiv 1607.06450), over the last dimension, in float32.</summary>
/// <param name="Epsilon">Added to the mean square, or to the variance.</param>
public readonly record struct NormOptions(double Epsilon)
{
    /// <summary>LayerNorm: the mean is taken off.</summary>
    public bool Centered { get; init; }

    /// <summary>It multiplies by 1 + weight.</summary>
    public bool PlusOne { get; init; }

    /// <summary>It has a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>It has no tensors at all.</summary>
    public bool Bare { get; init; }

    /// <summary>The tensors of a norm, by its name, over so many values.</summary>
    public IEnumerable<(string Name, Shape Shape)> Tensors(string name, int size)
    {
        if (Bare || name.Length == 0) yield break;
        yield return (name + ".weight", new Shape(size));
        if (Bias) yield return (name + ".bias", new Shape(size));
    }

    /// <summary>The norm with its weight and bias, null where it has none.</summary>
    public Tensor Apply(Tensor input, Tensor? weight, Tensor? bias)
    {
        // [..., n], [n], [n] → [..., n]
        if (!Centered && weight is not null && bias is null && BlockKernels.Serve(input, weight)) return BlockKernels.RmsNorm(input, weight, Epsilon, PlusOne);
        using var scope = NewDisposeScope();
        var x = input.to_type(ScalarType.Float32);
        if (Centered) x = x.Minus(x.mean([-1], keepdim: true));
        var normed = x * (x * x).mean([-1], keepdim: true).Plus(Epsilon).rsqrt();
        if (PlusOne) return (normed * weight!.to_type(ScalarType.Float32).Plus(1) is var scaled && bias is not null ? scaled.Plus(bias) : scaled)
            .to_type(input.dtype).MoveToOuterDisposeScope();
        normed = normed.to_type(input.dtype);
        if (weight is not null) normed = weight * normed;
        if (bias is not null) normed = normed.Plus(bias);
        return normed.MoveToOuterDisposeScope();
    }
}
