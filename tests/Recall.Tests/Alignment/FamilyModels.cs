using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Tests.Alignment;

/// <summary>Experts of the tiny models of fixtures/architectures: the model with noise on every tensor, and texts of random tokens.</summary>
static class FamilyModels
{
    public static Checkpoint Base(string name) => Checkpoint.Open(Fixtures.Path("architectures", name));

    /// <summary>Experts that differ from the base in all tensors, the last of their texts with an answer of two tokens.</summary>
    public static IReadOnlyList<AlignmentExpert> Experts(Checkpoint baseModel, int count, int texts = 6, double noise = 0.05) =>
        [.. Enumerable.Range(1, count).Select(seed => new AlignmentExpert($"expert-{seed}", Noisy(baseModel, seed, noise), Texts(seed, texts)))];

    public static Checkpoint Noisy(Checkpoint model, int seed, double noise)
    {
        var random = new Random(seed);
        return model.With([.. model.Tensors.Select(tensor => !tensor.DType.IsFloat() ? tensor : new MemoryTensor(tensor.Name, tensor.Shape,
            [.. GoldenAlignment.Read(tensor).Select(value => (float)(value + noise * (random.NextDouble() - 0.5)))]))]);
    }

    public static IReadOnlyList<AlignmentText> Texts(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(text =>
        {
            int length = 20 + text % 3 * 2;
            return new AlignmentText([.. Enumerable.Range(0, length).Select(_ => random.Next(124))], length - 2);
        })];
    }

    public static Dictionary<string, float[]> Weights(Checkpoint model) => model.Tensors.ToDictionary(tensor => tensor.Name, GoldenAlignment.Read);

    public static void AssertNear(double bound, Dictionary<string, float[]> merged, Dictionary<string, float[]> expected)
    {
        var (difference, tensor) = GoldenAlignment.Farthest(merged, expected);
        Assert.True(difference <= bound, $"{tensor} differs by {difference}");
    }
}
