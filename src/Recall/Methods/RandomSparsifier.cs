using Recall.Numerics;

namespace Recall.Methods;

/// <summary>Keeps each element with the probability <c>density</c> (DARE, arXiv 2311.03099).</summary>
sealed class RandomSparsifier(CounterRandom random, double density) : Sparsifier
{
    public override void Clear(long start, Span<float> delta) => random.Keep(start, density, delta);
}
