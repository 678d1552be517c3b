using Recall.Numerics;

namespace Recall.TokenSurgery;

/// <summary>Normal numbers by position.</summary>
static class Normal
{
    /// <summary>Box and Muller: a normal number from two uniform ones.</summary>
    public static double At(CounterRandom random, long index)
    {
        double radius = (random[2 * index] + 1.0) / 4294967296.0, angle = random[2 * index + 1] / 4294967296.0;
        return Math.Sqrt(-2 * Math.Log(radius)) * Math.Cos(2 * Math.PI * angle);
    }
}
