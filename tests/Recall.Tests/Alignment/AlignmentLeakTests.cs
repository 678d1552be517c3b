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
