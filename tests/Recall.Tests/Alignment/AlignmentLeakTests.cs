using Recall.Alignment;
using Recall.Tests.Representations;
using static TorchSharp.torch;

namespace Recall.Tests.Alignment;

/// <summary>Merges that are done again and again leave no tensor behind.</summary>
[Collection(nameof(TensorLeakTests))]
public sealed class AlignmentLeakTests : TorchTests
{
    static void AssertNothingStays(Action work)
    {
        work();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long before = Tensor.TotalCount;
        for (int i = 0; i < 3; i++) work();
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Theory]
    [InlineData(AlignmentKind.Align, false)]
    [InlineData(AlignmentKind.Distil, true)]
    [InlineData(AlignmentKind.RegMean, false)]
    [InlineData(AlignmentKind.RegMeanPlusPlus, false)]
    public void Merges(AlignmentKind kind, bool onDisk)
    {
        var (baseModel, experts) = (GoldenAlignment.Base("full"), GoldenAlignment.Experts("full"));
        AssertNothingStays(() => GoldenAlignment.Merge(baseModel, experts, new AlignmentOptions { Kind = kind, StatesOnDisk = onDisk }));
    }

    [Theory]
    [InlineData("gpt2", AlignmentKind.Distil, true)]
    [InlineData("mixtral", AlignmentKind.Distil, true)]
    [InlineData("qwen2-moe", AlignmentKind.RegMeanPlusPlus, false)]
    [InlineData("granitemoe", AlignmentKind.Align, false)]
    public void Families(string name, AlignmentKind kind, bool onDisk)
    {
        var baseModel = FamilyModels.Base(name);
        var experts = FamilyModels.Experts(baseModel, 2, texts: 3);
        AssertNothingStays(() => GoldenAlignment.Merge(baseModel, experts, new AlignmentOptions { Kind = kind, StatesOnDisk = onDisk }));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(null)]
    public void Cards(int? rank)
    {
        using var folder = new TemporaryFolder();
        var (baseModel, experts) = (GoldenAlignment.Base("full"), GoldenAlignment.Experts("full"));
        AssertNothingStays(() =>
        {
            CardRun.Write(folder["card.safetensors"], "expert-1", experts[0].Checkpoint, experts[0].Texts, rank, 1);
            GoldenAlignment.Merge(baseModel, [experts[0] with { Texts = [], Card = CardFile.Open(folder["card.safetensors"]) }, experts[1]], new AlignmentOptions { Kind = AlignmentKind.Distil });
        });
    }
}
