using Recall.Alignment;
using Recall.Configuration;
using Recall.Representations;

namespace Recall.Tests.Alignment;

/// <summary>The multiplications that a merge by least squares is said to take.</summary>
public sealed class AlignmentWorkTests
{
    const string Set = "full";

    static AlignmentWork Of(AlignmentKind kind, int experts = 2, int? cardRank = 0) => AlignmentWork.Of(
        BlockOptions.Read(GoldenAlignment.Base(Set)), [.. GoldenAlignment.Experts(Set).Take(experts)], new AlignmentOptions { Kind = kind }, cardRank);

    [Theory]
    [InlineData(AlignmentKind.Align, 1)]
    [InlineData(AlignmentKind.RegMean, 1)]
    [InlineData(AlignmentKind.RegMeanPlusPlus, 2)]
    [InlineData(AlignmentKind.Distil, 2)]
    public void Every_token_goes_through_all_linear_layers_of_its_streams(AlignmentKind kind, int streams)
    {
        double tokens = GoldenAlignment.Experts(Set).Take(2).Sum(expert => expert.Texts.Sum(text => text.Ids.Length));
        double weights = GoldenAlignment.Base(Set).Tensors.Where(tensor => tensor.Shape.Rank == 2 && tensor.Name.Contains("layers."))
            .Sum(tensor => (double)tensor.Shape.Elements);
        Assert.Equal(streams * tokens * weights, Of(kind).Forward);
    }

    [Fact]
    public void Solving_twice_takes_more_than_once_and_a_card_comes_on_top()
    {
        Assert.True(Of(AlignmentKind.Distil).Solving > Of(AlignmentKind.Align).Solving);
        Assert.True(Of(AlignmentKind.Align, cardRank: 8).Solving > Of(AlignmentKind.Align).Solving);
        Assert.True(Of(AlignmentKind.Align, experts: 3).Solving > Of(AlignmentKind.Align).Solving);
    }

    [Fact]
    public void Rates_are_those_of_this_machine()
    {
        var rates = ProductRates.Measure(64, ComputeType.Float32);
        Assert.True(rates.Forward > 1e5 && rates.Double > 1e5);
        Assert.Equal(rates.Single, rates.Forward);
    }
}
