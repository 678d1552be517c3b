using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Methods;

namespace Recall.Tests.Methods;

/// <summary>The smallest method, which CONTRIBUTING.md shows: what stands there is what runs here.</summary>
public class MidRangeTests
{
    [Fact]
    public void TheMethodThatContributingShowsIsThisOne() => Assert.Contains(
        $"```csharp\n{File.ReadAllText(Fixtures.InRepository("tests", "Recall.Tests", "Methods", "MidRange.cs")).ReplaceLineEndings("\n")}```",
        File.ReadAllText(Fixtures.InRepository("CONTRIBUTING.md")).ReplaceLineEndings("\n"));

    [Theory, InlineData(1), InlineData(3)]
    public void ItMergesTileByTile(int threads)
    {
        var random = new Random(1);
        var shape = new Shape([301, 2999]);
        float[][] values =
            [.. Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, (int)shape.Elements).Select(_ => random.NextSingle() - 0.5f).ToArray())];
        var method = new MidRange();
        Assert.True(Assert.Single(method.Parameters) is { Name: "scale", Default: 1, PerModel: false });
        var inputs = new TensorInputs
        {
            Name = "some.weight", Shape = shape, Models = [0, 1, 2], ModelNames = ["a", "b", "c"],
            Values = ImmutableDictionary<string, double>.Empty.Add("scale", 0.5),
        };
        float[] got = new MethodRun(method, inputs, values).Merge(threads);
        for (int i = 0; i < got.Length; i++)
        {
            float[] each = [values[0][i], values[1][i], values[2][i]];
            Assert.Equal(0.25 * ((double)each.Min() + each.Max()), got[i], 1e-7);
        }
    }
}
