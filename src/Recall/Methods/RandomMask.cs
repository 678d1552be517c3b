using Recall.Numerics;

namespace Recall.Methods;

/// <summary>Keeps each element with the probability <c>density</c> (DARE, arXiv 2311.03099).</summary>
sealed class RandomMask(CounterRandom random, double density) : ElementMask
{
    public static RandomMask Of(TensorInputs inputs, int model, double density) =>
        new(new CounterRandom(inputs.Seed, inputs.Name, inputs.Models[model]), density);

    public override void Keep<T>(long start, ReadOnlySpan<T> x, ReadOnlySpan<T> b, Span<ulong> kept) => random.Keep(start, density, kept);
}
