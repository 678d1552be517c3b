using System.Collections.Immutable;
using Recall.Alignment;
using Recall.Checkpoints;

namespace Recall.Tests.Alignment;

/// <summary>What an expert's task asks for, and what experts weigh by it.</summary>
public sealed class ExpertDemandTests : IDisposable
{
    const string Set = "adapter-like";

    static readonly AlignmentOptions Align = new() { Kind = AlignmentKind.Align };

    readonly TemporaryFolder _folder = new();
    readonly List<string> _told = [];

    public void Dispose() => _folder.Dispose();

    /// <summary>The base with so much of an expert's update.</summary>
    static Checkpoint Part(AlignmentExpert expert, double share)
    {
        var baseModel = GoldenAlignment.Base(Set);
        return baseModel.With([.. baseModel.Tensors.Select(tensor => new MemoryTensor(tensor.Name, tensor.Shape, [.. GoldenAlignment.Read(tensor).Zip(
            GoldenAlignment.Read(expert.Checkpoint.Find(tensor.Name)!), (own, other) => (float)(own + share * (other - own)))]))]);
    }

    static double Measure(Checkpoint expert, IReadOnlyList<AlignmentText> texts) => ExpertDemand.Measure(GoldenAlignment.Base(Set), "expert", expert, texts,
        cancellation: TestContext.Current.CancellationToken);

    ImmutableArray<AlignmentExpert> Weigh(ImmutableArray<AlignmentExpert> experts, AlignmentOptions options, bool keepsTexts = true) =>
        ExpertDemand.IsMeasured(GoldenAlignment.Base(Set), experts, options, keepsTexts, _told.Add)
            ? ExpertDemand.Weigh(GoldenAlignment.Base(Set), experts, options, _told.Add, TestContext.Current.CancellationToken) : experts;

    AlignmentExpert WithCard(AlignmentExpert expert, bool measured)
    {
        string path = _folder[$"{expert.Name}-{measured}.safetensors"];
        CardRun.Write(path, expert.Name, expert.Checkpoint, expert.Texts, null, 1, measured ? GoldenAlignment.Base(Set) : null,
            cancellation: TestContext.Current.CancellationToken);
        return expert with { Texts = [], Card = CardFile.Open(path) };
    }

    [Fact]
    public void Of_a_small_update_half_leaves_a_quarter_and_of_none_nothing()
    {
        // Divergence rises with the square of what is missing, as long as that is little.
        var expert = GoldenAlignment.Experts(Set)[0];
        Assert.Equal(0.25, Measure(Part(expert, 0.02), expert.Texts), 0.01);
        Assert.Equal(0, Measure(Part(expert, 0), expert.Texts));
        Assert.InRange(Measure(expert.Checkpoint, expert.Texts), 0.01, 0.5);
    }

    [Fact]
    public void Texts_without_answers_are_scored_whole_and_those_of_one_token_not_at_all()
    {
        var expert = GoldenAlignment.Experts(Set)[0];
        var small = Part(expert, 0.02);
        Assert.Equal(0.25, Measure(small, [.. expert.Texts.Select(text => text with { Answer = text.Ids.Length })]), 0.01);
        Assert.Equal(0, Measure(small, [new AlignmentText([3], 1)]));
    }

    [Theory]
    [InlineData(AlignmentKind.Align)]
    [InlineData(AlignmentKind.Distil)]
    public void An_expert_that_weighs_twice_as_much_counts_as_two(AlignmentKind kind)
    {
        var (baseModel, experts) = (GoldenAlignment.Base(Set), GoldenAlignment.Experts(Set));
        var options = new AlignmentOptions { Kind = kind };
        var twice = experts[1] with { Name = "again" };
        var expected = GoldenAlignment.Merge(baseModel, [experts[0], experts[1], twice], options);
        var weighed = experts[1] with { Texts = [.. experts[1].Texts.Select(text => text with { Weight = 2 })] };
        Assert.InRange(GoldenAlignment.Farthest(GoldenAlignment.Merge(baseModel, [experts[0], weighed], options), expected).Difference, 0, 1e-5);

        var cards = experts.Select(expert => WithCard(expert, measured: false)).ToList();
        expected = GoldenAlignment.Merge(baseModel, [experts[0], cards[1], cards[1] with { Name = "again" }], options);
        var byCard = GoldenAlignment.Merge(baseModel, [experts[0], cards[1] with { Weight = 2 }], options);
        Assert.InRange(GoldenAlignment.Farthest(byCard, expected).Difference, 0, 1e-5);
    }

    [Fact]
    public void Experts_with_texts_weigh_alike_unless_that_is_asked_for_or_the_texts_are_not_kept()
    {
        var experts = GoldenAlignment.Experts(Set);
        Assert.All(Weigh([.. experts], Align), expert => Assert.All(expert.Texts, text => Assert.Null(text.Weight)));
        Assert.Empty(_told);
        var asked = Weigh([.. experts], Align with { Demand = true });
        Assert.All(asked, expert => Assert.All(expert.Texts, text =>
            Assert.Equal(ExpertDemand.Weight(Measure(expert.Checkpoint, expert.Texts)), text.Weight)));
        Assert.StartsWith("demand: the experts weigh expert-1 ", Assert.Single(_told), StringComparison.Ordinal);
        Assert.All(Weigh([.. experts], Align, keepsTexts: false), expert => Assert.All(expert.Texts, text => Assert.NotNull(text.Weight)));
        Assert.All(Weigh([.. experts], new AlignmentOptions { Kind = AlignmentKind.RegMean, Demand = true }), expert =>
            Assert.All(expert.Texts, text => Assert.Null(text.Weight)));
    }

    [Fact]
    public void A_merged_model_with_kept_texts_is_weighed_task_by_task()
    {
        var experts = GoldenAlignment.Experts(Set);
        var merged = experts[0] with { Name = "merged", Texts = [.. experts[0].Texts, .. experts[1].Texts] };
        var weighed = Weigh([merged, experts[2]], Align with { Demand = true })[0];
        foreach (var task in weighed.Texts.GroupBy(text => text.Task))
            Assert.All(task, text => Assert.Equal(ExpertDemand.Weight(Measure(merged.Checkpoint, [.. task])), text.Weight));
    }

    [Fact]
    public void A_card_says_its_demand_and_experts_weigh_by_it()
    {
        var experts = GoldenAlignment.Experts(Set);
        var card = WithCard(experts[0], measured: true);
        double demand = Measure(experts[0].Checkpoint, experts[0].Texts);
        Assert.Equal((demand, true), (card.Card!.Demand, card.Card.IsWeighed));
        var weighed = Weigh([card, experts[1]], Align);
        Assert.Equal(ExpertDemand.Weight(demand), weighed[0].Weight);
        Assert.All(weighed[1].Texts, text => Assert.NotNull(text.Weight));
        Assert.Equal(CardLayout.Weighed, ExpertDemand.OfMerged(weighed));
        Assert.Null(ExpertDemand.OfMerged(experts));
        Assert.All(Weigh([card, experts[1]], Align with { Demand = false }), expert => Assert.Null(expert.Weight));
    }

    [Fact]
    public void Beside_a_card_that_does_not_say_it_all_weigh_alike_and_a_note_tells_how_to_mend_it()
    {
        var experts = GoldenAlignment.Experts(Set);
        var card = WithCard(experts[0], measured: false);
        Assert.Equal((null, false), (card.Card!.Demand, card.Card.IsWeighed));
        var weighed = Weigh([card, experts[1]], Align);
        Assert.Null(weighed[0].Weight);
        Assert.All(weighed[1].Texts, text => Assert.Null(text.Weight));
        string remedy = $"make it anew: recall card {experts[0].Name} --base {GoldenAlignment.Base(Set).Path} --samples FILE --out {card.Card.Path}";
        Assert.Equal($"demand: all experts weigh alike: {card.Card.Path} does not say what its expert's task asks for; {remedy}", Assert.Single(_told));
        string refused = Assert.Throws<RecallException>(() => Weigh([card, experts[1]], Align with { Demand = true })).Message;
        Assert.Equal($"{card.Card.Path} does not say what its expert's task asks for; {remedy}, or leave out 'demand'", refused);
    }

    [Theory]
    [InlineData("-0.1")]
    [InlineData("1.5")]
    [InlineData("NaN")]
    [InlineData("much")]
    public void A_card_whose_demand_is_none_is_refused(string demand)
    {
        var experts = GoldenAlignment.Experts(Set);
        string path = _folder["card.safetensors"];
        using (var card = new CardWriter(path, [.. LayerStep.InputsOf(Recall.Representations.BlockOptions.Read(experts[0].Checkpoint))], 2, 1, 1, demand))
            card.Finish(new string('0', 64), new string('0', 64), 1);
        Assert.Equal($"{path}: its metadata 'demand' is '{demand}'; a number between 0 and 1 is expected",
            Assert.Throws<RecallException>(() => CardFile.Open(path)).Message);
    }
}
