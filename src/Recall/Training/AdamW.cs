using System.Collections.Immutable;
using Recall.Representations;
using TorchSharp;
using static TorchSharp.torch;

namespace Recall.Training;

/// <summary>
/// Adam with decoupled weight decay (arXiv 1711.05101) as PyTorch computes it, β = (0.9, 0.999), ε = 1e-8, together with the clipping
/// of the gradient. Scalars are held while libtorch reads them: see <see cref="KeptScalars"/>.
/// </summary>
sealed class AdamW : IDisposable
{
    const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;

    readonly ImmutableArray<(Tensor Weight, double Decay, Tensor Mean, Tensor Square)> _weights;
    int _steps;

    /// <summary>Over these tensors, each with its weight decay.</summary>
    public AdamW(IEnumerable<(Tensor Weight, double Decay)> weights)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        _weights = [.. weights.Select(entry => (entry.Weight, entry.Decay, Zero(entry.Weight), Zero(entry.Weight)))];
        foreach (var (weight, _, _, _) in _weights) weight.grad?.zero_();     // of a run before that stopped half-way
    }

    static Tensor Zero(Tensor like) => zeros_like(like, requires_grad: false).DetachFromDisposeScope();

    /// <summary>
    /// Scales the gradients down so that together they are not longer than that: g · min(1, c / (‖g‖ + 1e-6)). Null: leaves them.
    /// </summary>
    /// <returns>‖g‖ before.</returns>
    public double Clip(double? longest)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var gradients = _weights.Select(entry => entry.Weight.grad).Where(gradient => gradient is not null).ToList();
        double norm = stack(gradients.Select(gradient => gradient!.norm()).ToList()).norm().item<float>();
        if (longest / (norm + 1e-6) is not { } factor || !(factor < 1)) return norm;
        using Scalar scale = factor;
        foreach (var gradient in gradients) gradient!.mul_(scale);
        return norm;
    }

    /// <summary>One step; afterwards the gradients are 0.</summary>
    public void Step(double learningRate)
    {
        using var quiet = no_grad();
        _steps++;
        using Scalar beta1 = Beta1, beta2 = Beta2, rest1 = 1 - Beta1, rest2 = 1 - Beta2,
            correction = Math.Sqrt(1 - Math.Pow(Beta2, _steps)), rate = -learningRate / (1 - Math.Pow(Beta1, _steps));
        using var epsilon = tensor((float)Epsilon);
        foreach (var (weight, decay, mean, square) in _weights)
        {
            using var scope = NewDisposeScope();
            if (weight.grad is not { } gradient) continue;
            using Scalar left = 1 - learningRate * decay;
            weight.mul_(left);
            mean.mul_(beta1).add_(gradient, rest1);
            square.mul_(beta2).addcmul_(gradient, gradient, rest2);
            weight.addcdiv_(mean, square.sqrt().div_(correction).AddIn(epsilon), rate);
            gradient.zero_();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, _, mean, square) in _weights)
        {
            mean.Dispose();
            square.Dispose();
        }
    }
}
