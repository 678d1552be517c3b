using System.Diagnostics;
using Recall.Alignment;
using Recall.Checkpoints;

namespace Recall.Tests.Alignment;

/// <summary>align and distil against the reference in double precision: golden/align, within 2e-5.</summary>
public sealed class GoldenAlignmentTests
{
    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (string set in new[] { "adapter-like", "full" })
            foreach (string name in new[] { "align", "align-all-tokens", "align-off-0.9", "align-card-rank-4", "align-diagonal", "distil",
                "distil-all-tokens", "distil-ridge-0.1", "distil-cards-of-1-and-2" })
                cases.Add(set, name);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_merged_model_is_that_of_the_reference(string set, string name)
    {
        var (baseModel, experts) = (GoldenAlignment.Base(set), GoldenAlignment.Experts(set));
        var merged = GoldenAlignment.Merge(baseModel, Prepare(baseModel, experts, name), Options(name));

        var expected = Checkpoint.Open(Fixtures.Shared("golden", "align", set, "expected", name + ".safetensors"));
        var (difference, tensor) = GoldenAlignment.Farthest(merged, expected.Tensors.ToDictionary(each => each.Name, GoldenAlignment.Read));
        TestContext.Current.TestOutputHelper?.WriteLine($"{set} {name}: {difference:E2} {tensor}");
        Assert.True(difference <= 2e-5, $"{tensor} differs by {difference}");
    }

    static AlignmentOptions Options(string name)
    {
        var align = new AlignmentOptions { Kind = AlignmentKind.Align };
        var distil = new AlignmentOptions { Kind = AlignmentKind.Distil };
        return name switch
        {
            "align" or "align-card-rank-4" => align,
            "align-all-tokens" => align with { Answers = 0 },
            "align-off-0.9" => align with { Answers = 0, OffDiagonal = 0.9 },
            "align-diagonal" => align with { OffDiagonal = 0 },
            "distil" or "distil-cards-of-1-and-2" => distil,
            "distil-all-tokens" => distil with { Answers = 0 },
            "distil-ridge-0.1" => distil with { Ridge = 0.1 },
            _ => throw new UnreachableException(name),
        };
    }

    static IReadOnlyList<AlignmentExpert> Prepare(Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts, string name) => name switch
    {
        "align-card-rank-4" => [.. experts.Select(expert => InMemoryCards.Replace(baseModel, expert, 4))],
        "distil-cards-of-1-and-2" => [.. experts.Select((expert, i) => i < 2 ? InMemoryCards.Replace(baseModel, expert, null) : expert)],
        _ => experts,
    };
}
